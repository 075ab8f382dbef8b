"""Payloads drawn from a seed: JSON text, the same for the same (seed, position)."""

import json
import random
from typing import Any

_WORDS = (
    "ready",
    "grün",
    "日本語",
    "naïve",
    "a:b.c",
    "",
    " padded ",
    "line\nbreak",
    "</script>",
    "\u202eabc",
    "emoji 🚦",
)
_NUMBERS = (0, -1, 1.5, -0.0, 1e21, 1e-7, 2**53 + 1, 2**63, 2**64 - 1, 3.141592653589793)


def seeded_payload(shape: str, seed: int, position: int) -> str:
    """Compact JSON text of a payload of `shape` (`small` or `varied`) for one position of a plan."""
    draw = random.Random(f"{seed}/{position}")
    if shape == "small":
        value: Any = {
            "n": position,
            "tool": draw.choice(("rg", "ls", "sed")),
            "latency_ms": draw.randrange(1, 900),
        }
    else:
        value = {"n": position, "tree": _tree(draw, 3)}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _tree(draw: random.Random, depth: int) -> Any:
    kind = draw.choice(("object", "array", "text", "number", "literal")) if depth else "text"
    match kind:
        case "object":
            names = draw.sample(("z", "a", "ключ", "b.c", "d"), draw.randrange(1, 4))
            return {name: _tree(draw, depth - 1) for name in names}
        case "array":
            return [_tree(draw, depth - 1) for _ in range(draw.randrange(4))]
        case "text":
            return draw.choice(_WORDS)
        case "number":
            return draw.choice(_NUMBERS)
        case _:
            return draw.choice((True, False, None))


def numbered(value: Any, sign: str, number: int) -> Any:
    """JSON data with every string that is `sign` replaced by `number`."""
    if value == sign:
        return number
    if isinstance(value, dict):
        return {name: numbered(inner, sign, number) for name, inner in value.items()}
    if isinstance(value, list):
        return [numbered(inner, sign, number) for inner in value]
    return value
