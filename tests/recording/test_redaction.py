"""What must never reach the disk is overwritten at equal length, and nothing else is."""

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from harness.model.errors import UsageError
from harness.recording.redaction import Secrets
from tests.recording.taping import JWT, SECRET

TOKEN_TEXT = st.text(st.characters(exclude_characters='"\\*', exclude_categories=["C"]), min_size=8, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9999, 9999) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def knowing(*texts: str) -> Secrets:
    secrets = Secrets()
    for text in texts:
        secrets.add(text)
    return secrets


def is_no_number(text: str) -> bool:
    return not set(text) <= set("0123456789.eE+-")


def spelled(secret: str) -> list[bytes]:
    """The spellings in which `secret` must be found."""
    in_json = json.dumps({"token": secret})
    texts = [secret, in_json, json.dumps(in_json), json.dumps(secret, ensure_ascii=False), quote(secret, safe="")]
    return [text.encode() for text in [*texts, quote(secret), quote_plus(secret), quote(secret, safe="").lower()]]


@pytest.mark.parametrize("carrier", spelled(SECRET))
def test_a_known_secret_is_found_in_every_spelling(carrier: bytes) -> None:
    """Plain, in JSON, in JSON inside JSON, and percent-encoded, the secret is overwritten and the length kept."""
    redacted, ranges = knowing(SECRET).redact(b"<" + carrier + b">")

    assert len(carrier) + 2 == len(redacted)
    assert 1 == len(ranges)
    assert b"shared-secret" not in redacted
    assert b"4fd0c9" not in redacted


def test_a_secret_of_many_escapes_is_found_in_json() -> None:
    """A key file with line breaks, slashes and accents is found as JSON spells it, slashes escaped or not."""
    secret = "-----BEGIN KEY-----\nMHc/CAQé\n-----END KEY-----\n"
    plain = json.dumps({"key": secret})
    redacted = [knowing(secret).redact(text.encode())[0] for text in (plain, plain.replace("/", "\\/"))]

    assert [b'{"key": "*******' == text[:16] and b"CAQ" not in text for text in redacted] == [True, True]


@settings(deadline=None)
@given(JSON, TOKEN_TEXT, st.text(max_size=9), st.text(max_size=9))
@example(None, "nabcdefgh", "\\", "")
@example(None, "0041abcd", "\x00", "")
@example(None, "n" * 8, "\\" * 3, "\n")
def test_json_stays_json(around: object, secret: str, before: str, after: str) -> None:
    """Redacted JSON is JSON of the same length, and the secret is in none of its texts."""
    assume(is_no_number(secret))
    document = json.dumps({"a": around, "b": before + secret + after}).encode()
    redacted, ranges = knowing(secret).redact(document)

    assert len(document) == len(redacted)
    assert "*" * 8 in json.loads(redacted)["b"]
    assert secret not in json.loads(redacted)["b"]
    assert ranges


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(TOKEN_TEXT, max_size=3))
def test_ranges_say_what_changed(data: bytes, secrets: list[str]) -> None:
    """Inside the ranges there are only asterisks, outside nothing changed, and ranges neither touch nor overlap."""
    known = knowing(*filter(is_no_number, secrets))
    text = data + JWT.encode() + b" " + "".join(secrets).encode() + data
    redacted, ranges = known.redact(text)
    rebuilt = bytearray(redacted)
    for offset, length in ranges:
        assert b"*" * length == redacted[offset : offset + length]
        rebuilt[offset : offset + length] = text[offset : offset + length]
    ends = [offset + length for offset, length in ranges]

    assert text == bytes(rebuilt)
    assert ranges
    assert all(end < start for end, (start, _) in zip(ends[:-1], ranges[1:], strict=True))
    assert (redacted, ()) == known.redact(redacted)


def test_what_holds_no_secret_is_returned_as_it_is() -> None:
    """Clean data is the very same object: nothing is copied."""
    data = b'{"seq":1,"J":"eyj"}'

    assert knowing(SECRET).redact(data)[0] is data


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"a {JWT} b", f"a {'*' * len(JWT)} b"),
        (f"x{JWT}", "x" + "*" * len(JWT)),
        ("eyJh.eyJp.", "*" * 10),
        ("eyJh%2EeyJp%2esig&x", "*" * 17 + "&x"),
        ("eyJh..iv.text.tag", "*" * 17),
        ("eyJh.eyJp", "eyJh.eyJp"),
        ("eyJ and eyJ.", "eyJ and eyJ."),
        ("Jey", "Jey"),
    ],
)
def test_jwts_need_no_introduction(text: str, redacted: str) -> None:
    """Whatever is shaped like a JWT goes, signed, unsigned, encrypted or percent-encoded; what is not stays."""
    assert redacted == Secrets().redact_text(text)[0]


def test_overlapping_secrets_leave_no_rest() -> None:
    """Where two secrets overlap, the union goes."""
    redacted, ranges = knowing("abcdefgh", "efghijkl").redact(b"-abcdefghijkl-")

    assert (b"-************-", ((1, 12),)) == (redacted, ranges)


@pytest.mark.parametrize("unit", [b"eyJ", b"eyJ.", b"eyJ %2E", b"eyJa-"])
def test_hostile_megabytes_cost_one_pass(unit: bytes) -> None:
    """Text made of token beginnings is searched in linear time; in quadratic time this test would take days."""
    data = unit * (10 * 2**20 // len(unit))
    redacted, _ = Secrets().redact(data)

    assert len(data) == len(redacted)


@pytest.mark.parametrize("text", ["", "short", "12345678", "-1.5e+300"])
def test_what_cannot_be_told_from_data_is_no_secret(text: str) -> None:
    """A text that would wipe ordinary data, or break the numbers of JSON, is refused with the length needed."""
    with pytest.raises(UsageError, match=r"at least (8|16) are needed"):
        Secrets().add(text)


def test_of_an_authorization_header_only_the_scheme_stays() -> None:
    """Credentials of headers go whole, known or not; every other header is redacted like any text."""
    headers = {
        "authorization": "Bearer opaque",
        "Proxy-Authorization": "nothing-but-token",
        "Cookie": "session=1; x=2",
        "spacetime-identity-token": JWT,
        "X-Echo": f"got {SECRET}",
        "Accept": "*/*",
    }
    text, ranges = knowing(SECRET).redact_headers(headers)

    assert {
        "authorization": "Bearer ******",
        "Proxy-Authorization": "*" * 17,
        "Cookie": "*" * 14,
        "spacetime-identity-token": "*" * len(JWT),
        "X-Echo": "got " + "*" * len(json.dumps(SECRET)[1:-1]),
        "Accept": "*/*",
    } == json.loads(text)
    assert 5 == len(ranges)
    assert all("*" * length == text[offset : offset + length] for offset, length in ranges)


def test_headers_of_one_name_are_joined() -> None:
    """A name that came twice is one member of the JSON object, its values joined as RFC 9110 joins them."""
    headers = CIMultiDict([("Via", "one"), ("Via", "two"), ("Empty", "")])

    assert ('{"Via": "one, two", "Empty": ""}', ()) == Secrets().redact_headers(headers)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=9), st.text(max_size=30), max_size=4))
def test_headers_come_back_as_they_were(headers: dict[str, str]) -> None:
    """Headers without credentials survive, whatever bytes a lane put into them."""
    hostile = {name: value + "\udcff" for name, value in headers.items()}

    assert hostile == json.loads(Secrets().redact_headers(hostile)[0])


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("/ws?after_seq=1&token=opaque&x=1#f", "/ws?after_seq=1&token=******&x=1#f"),
        ("ws://h/x?access_token=a", "ws://h/x?access_token=*"),
        ("ws://user:pass@h:1/x", "ws://user:****@h:1/x"),
        ("ws://h:1/a@b", "ws://h:1/a@b"),
        ("/ws?token=", "/ws?token="),
        ("/ws?mytoken=1", "/ws?mytoken=1"),
        (f"/ws/{JWT}", "/ws/" + "*" * len(JWT)),
    ],
)
def test_credentials_of_a_url_go(url: str, redacted: str) -> None:
    """A token of the query and a password go, known or not."""
    assert redacted == Secrets().redact_url(url)[0]


def test_text_that_is_no_unicode_can_be_stored() -> None:
    """Bytes that a lane sent instead of UTF-8 come back escaped, and lone surrogates too."""
    assert ("\\xff", ()) == Secrets().redact_text("\udcff")
    assert ("\\ud800", ()) == Secrets().redact_text("\ud800")
