"""SATS-JSON: the types of arguments and messages, and the decoding of JSON into them (wire sheet 3.1)."""

import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass


class DecodeError(Exception):
    """A JSON value that does not fit its type; `path` leads to it, as in `[2][0].payload_hash`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An unsigned integer of `bits` bits."""

    bits: int


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes: hex digits or an array of integers; decoded to lowercase hex digits."""


@dataclass(frozen=True, slots=True)
class Option:
    """`{"some": x}`, or `{"none": []}` or null; decoded to the value or None."""

    inner: "SatsType"


@dataclass(frozen=True, slots=True)
class Array:
    """A JSON array; decoded to a list."""

    element: "SatsType"


@dataclass(frozen=True, slots=True)
class Product:
    """A struct: an object with every field, or the fields in order; decoded to a list in field order."""

    fields: tuple[tuple[str, "SatsType"], ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """An enum: `{"Variant": payload}`, `{"0": payload}` or `[0, payload]`; decoded to (variant, value)."""

    name: str
    variants: tuple[tuple[str, "SatsType"], ...]


SatsType = Text | Unsigned | Boolean | Bytes | Option | Array | Product | Sum


def parsed_json(text: str) -> object:
    """The JSON value in `text`. Raises DecodeError with the place, in the real parser's words."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise DecodeError("", _parser_words(text, error)) from error
    except RecursionError as error:
        raise DecodeError("", "recursion limit exceeded at line 1 column 128") from error
    except ValueError as error:
        raise DecodeError("", "number out of range at line 1 column 1") from error


def decoded(kind: SatsType, value: object, path: str = "") -> object:
    """`value` as a value of `kind`. Raises DecodeError."""
    match kind:
        case Text():
            return _text(value, path)
        case Unsigned(bits):
            return _unsigned(value, bits, path)
        case Boolean():
            return _boolean(value, path)
        case Bytes():
            return _bytes(value, path)
        case Option(inner):
            return _option(value, inner, path)
        case Array(element):
            return _array(value, element, path)
        case Product(fields):
            return product_values(fields, value, path)
        case Sum():
            return _sum(value, kind, path)


def product_values(
    fields: Sequence[tuple[str, SatsType]], value: object, path: str, what: str = "field"
) -> list[object]:
    """The decoded fields of a struct in order; `what` is how an error names a field. Raises DecodeError."""
    if isinstance(value, list):
        if len(value) != len(fields):
            raise DecodeError(path, f"invalid length {len(value)}, expected {len(fields)} elements")
        pairs = zip(fields, value, strict=True)
        return [decoded(kind, item, f"{path}[{at}]") for at, ((_, kind), item) in enumerate(pairs)]
    if not isinstance(value, dict):
        raise DecodeError(path, f"invalid type: {shown(value)}, expected product type")
    names = [name for name, _ in fields]
    for name in value:
        if name not in names:
            listed = ", ".join(f"`{known}`" for known in names)
            raise DecodeError(_joined(path, name), f"unknown {what} `{name}`, expected one of {listed}")
    for name in names:
        if name not in value:
            raise DecodeError(path, f"missing {what} `{name}`")
    return [decoded(kind, value[name], _joined(path, name)) for name, kind in fields]


def shown(value: object) -> str:
    """A JSON value as the real decoder's errors name it."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int() if -(2**63) <= value < 2**64:
            return f"integer `{value}`"
        case int():
            return "floating point number out of range"
        case float():
            return f"floating point `{value!r}`"
        case str():
            return f"string {json.dumps(value)}"
        case list():
            return "sequence"
        case _:
            return "map"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _boolean(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise DecodeError(path, f"invalid type: {shown(value)}, expected a boolean")
    return value


def _array(value: object, element: SatsType, path: str) -> list[object]:
    if not isinstance(value, list):
        raise DecodeError(path, f"invalid type: {shown(value)}, expected a sequence")
    return [decoded(element, item, f"{path}[{at}]") for at, item in enumerate(value)]


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise DecodeError(path, f"invalid type: {shown(value)}, expected a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DecodeError(path, "unexpected end of hex escape") from error
    return value


def _unsigned(value: object, bits: int, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise DecodeError(path, f"invalid type: {shown(value)}, expected u{bits}")
    if not 0 <= value < 1 << bits:
        raise DecodeError(path, f"invalid value: {shown(value)}, expected u{bits}")
    return value


def _bytes(value: object, path: str) -> str:
    if isinstance(value, str):
        return _hex(value, path)
    if not isinstance(value, list):
        raise DecodeError(path, f"invalid type: {shown(value)}, expected a byte array")
    return bytes(_unsigned(item, 8, f"{path}[{at}]") for at, item in enumerate(value)).hex()


def _hex(text: str, path: str) -> str:
    if len(text) % 2:
        raise DecodeError(path, "Odd number of digits")
    try:
        # Not bytes.fromhex: that one skips blanks.
        binascii.unhexlify(text)
    except ValueError as error:
        raise DecodeError(path, f"invalid hex string of {len(text)} characters") from error
    return text.lower()


def _option(value: object, inner: SatsType, path: str) -> object:
    if value is None:
        return None
    if not isinstance(value, dict | list):
        raise DecodeError(path, f"invalid type: {shown(value)}, expected sum type")
    option = Sum("Option", (("some", inner), ("none", Product(()))))
    variant, payload = _sum(value, option, path)
    return payload if variant == "some" else None


def _sum(value: object, kind: Sum, path: str) -> tuple[str, object]:
    if isinstance(value, dict) and len(value) == 1:
        ((key, payload),) = value.items()
        name, inner = _variant(key, kind, path)
    elif isinstance(value, list) and len(value) == 2:
        name, inner = _tagged(value[0], kind, path)
        payload = value[1]
    else:
        raise DecodeError(path, f"invalid type: {shown(value)}, expected sum type")
    return name, decoded(inner, payload, _joined(path, name))


def _variant(key: str, kind: Sum, path: str) -> tuple[str, SatsType]:
    for name, inner in kind.variants:
        if name == key:
            return name, inner
    if key.isascii() and key.isdigit() and len(key) <= 3:
        return _tagged(int(key), kind, path)
    listed = ", ".join(f"`{name}`" for name, _ in kind.variants)
    raise DecodeError(path, f"unknown variant `{key}`, expected one of {listed}")


def _tagged(tag: object, kind: Sum, path: str) -> tuple[str, SatsType]:
    number = _unsigned(tag, 8, path)
    if number >= len(kind.variants):
        raise DecodeError(path, f"unknown tag {number:#x} for sum type {kind.name}")
    return kind.variants[number]


def _parser_words(text: str, error: json.JSONDecodeError) -> str:
    at = min(error.pos, len(text))
    if at == len(text):
        return f"EOF while parsing a value at line {error.lineno} column {max(error.colno - 1, 0)}"
    if error.msg == "Extra data":
        return f"trailing characters at line {error.lineno} column {error.colno}"
    if text[at] in "ntf":
        return f"expected ident at line {error.lineno} column {error.colno + 1}"
    return f"expected value at line {error.lineno} column {error.colno}"


def _refuse_constant(name: str) -> object:
    raise json.JSONDecodeError("expected value", name, 0)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
