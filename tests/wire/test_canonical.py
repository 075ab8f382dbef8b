import base64
import json
import math
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError
from harness.wire.canonical import DEPTH_MAX, _exact, canonical_json, decode_hash, payload_hash
from harness.wire.json_slices import is_one_value
from tests.wire.frames import TRICKY, compact, json_values

VECTORS = Path(__file__).parent / "vectors"


def vectors(name: str) -> list[Any]:
    read = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))["vectors"]
    return [pytest.param(one["text"], one["canonical"], one["sha256"], id=one["name"]) for one in read]


PUBLISHED = vectors("khala_payload_hash.v1") + vectors("spacetime_payload_hash.v1")
OWN = vectors("own_payload_hash.v1")


def test_there_are_ten_published_vectors() -> None:
    """The original published five vectors a version (contract, 5.3)."""
    assert 10 == len(PUBLISHED)


@pytest.mark.parametrize(("text", "canonical", "digest"), PUBLISHED + OWN)
def test_a_vector_is_reproduced(text: str, canonical: str, digest: str) -> None:
    """Canonical text and hash of every vector, by the fast way and by the rule itself."""
    assert canonical == canonical_json(text.encode()).decode()
    assert canonical == _exact(text).decode()
    assert digest == payload_hash(text.encode()).hex()


@given(value=json_values)
def test_the_fast_way_and_the_rule_agree(value: object) -> None:
    """Whatever the C printer gives, the walk gives too."""
    text = compact(value)

    assert _exact(text) == canonical_json(text.encode())


@given(value=json_values)
def test_the_canonical_form_is_a_fixed_point_that_keeps_the_value(value: object) -> None:
    """Canonical text is its own canonical form, reads back equal, and has no space to spare."""
    canonical = canonical_json(json.dumps(value, indent=2).encode())

    assert canonical == canonical_json(canonical)
    assert json.dumps(value, sort_keys=True) == json.dumps(json.loads(canonical), sort_keys=True)


@given(value=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(), max_size=6))
def test_member_order_and_escapes_do_not_change_the_hash(value: dict[str, int]) -> None:
    """Two spellings of one value have one hash."""
    turned = dict(reversed(value.items()))

    assert payload_hash(compact(value).encode()) == payload_hash(json.dumps(turned).encode())


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_equal_and_stays_a_float(value: float) -> None:
    """No spelling loses a bit, the sign of zero included, nor turns a float into an integer."""
    spelled = canonical_json(repr(value).encode()).decode()

    assert value == float(spelled)
    assert math.copysign(1.0, value) == math.copysign(1.0, float(spelled))
    assert "." in spelled or "e" in spelled
    assert "e-0" not in spelled


@given(value=st.integers())
def test_an_integer_keeps_every_digit(value: int) -> None:
    """No integer passes through a double."""
    assert str(value) == canonical_json(str(value).encode()).decode()


def test_an_integer_too_long_for_python_keeps_every_digit() -> None:
    """Python refuses to convert integers of more than 4300 digits; the text needs no conversion."""
    digits = b"9" * 10_000

    assert digits == canonical_json(digits)


@pytest.mark.parametrize("depth", [500, DEPTH_MAX])
def test_deep_nesting_has_a_canonical_form(depth: int) -> None:
    """A depth that is beyond Python's recursion is not beyond the rule."""
    arrays = b"[" * depth + b"]" * depth
    objects = b'{"a": ' * depth + b"1.50" + b"}" * depth

    assert arrays == canonical_json(arrays)
    assert b'{"a":' * depth + b"1.5" + b"}" * depth == canonical_json(objects)


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 100_000])
def test_absurd_depth_is_refused(depth: int) -> None:
    """The bound is the same for every caller, and no RecursionError comes out."""
    for text in (b"[" * depth + b"]" * depth, b"[" * depth, b'{"a":' * depth):
        with pytest.raises(FormatError):
            canonical_json(text)


def test_many_shallow_containers_are_not_deep() -> None:
    """Brackets are counted by depth, not by number, and those inside strings not at all."""
    many = b"[" + b",".join([b'{"a":"[[[[\\"{{"}'] * 2000) + b"]"

    assert many == canonical_json(many)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e400]",
        b"[-1e400]",
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b"\xff",
        b"\xef\xbb\xbf1",
        b"1 2",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"--1",
        b'"\n"',
        b'"\\x41"',
        b"nul",
        b"[1}",
        b"[1e-07,",
        b'{"a":-0',
    ],
)
def test_what_has_no_canonical_form_is_a_format_error(text: bytes) -> None:
    """Neither NaN nor a lone surrogate nor half a text is given a hash."""
    for read in (canonical_json, payload_hash):
        with pytest.raises(FormatError):
            read(text)


@given(parts=st.lists(st.sampled_from([*TRICKY, b"1", b"e-07", b" ", b"true", b'"a"', b"-0"]), max_size=8))
def test_any_bytes_have_a_canonical_form_or_a_format_error(parts: list[bytes]) -> None:
    """Nothing else is raised, and only JSON has a form."""
    text = b"".join(parts)
    try:
        canonical = canonical_json(text)
    except FormatError:
        return

    assert is_one_value(text)
    assert canonical == canonical_json(canonical)


@given(digest=st.binary(min_size=32, max_size=32))
def test_the_three_encodings_of_a_hash_are_one(digest: bytes) -> None:
    """Prefixed hex, bare hex and base64 decode to the same 32 bytes (contract, 5.3)."""
    spellings = [f"sha256:{digest.hex()}", digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode()]

    assert [digest] * 4 == [decode_hash(spelled) for spelled in spellings]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:deadbeef",
        "sha512:" + "ab" * 32,
        "SHA256:" + "ab" * 32,
        "ab" * 31,
        "ab" * 33,
        " " + "ab" * 32,
        "ab" * 32 + "\n",
        "ab " * 21 + "a",
        "\N{ARABIC-INDIC DIGIT ONE}" * 64,
        "=" * 44,
        "A" * 44,
        base64.b64encode(b"x" * 31).decode(),
        base64.b64encode(sha256().digest()).decode().rstrip("="),
        base64.b64encode(bytes(32)).decode().replace("A=", "B="),
        "é" * 44,
    ],
)
def test_what_is_no_hash_is_a_format_error(text: str) -> None:
    """A placeholder, another algorithm, a cut or a padded text is not taken for a hash."""
    with pytest.raises(FormatError, match="is no SHA-256: wanted"):
        decode_hash(text)
