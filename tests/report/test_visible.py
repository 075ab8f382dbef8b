"""Lane text made visible."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.visible import CHARACTERS_MAX, clipped, shortened, visible

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=60)


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("a\x00b", "a⟨U+0000⟩b"),
        ("\x1b[31mred", "⟨U+001B⟩[31mred"),
        ("line\nline", "line⟨U+000A⟩line"),
        ("abc\u202edcb", "abc⟨U+202E⟩dcb"),
        ("\u2066iso\u2069", "⟨U+2066⟩iso⟨U+2069⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("\ufeffbom", "⟨U+FEFF⟩bom"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("lone\ud800", "lone⟨U+D800⟩"),
        ("private\ue000", "private⟨U+E000⟩"),
        ("\u2028", "⟨U+2028⟩"),
        ("blank\u3164", "blank⟨U+3164⟩"),
        ("heart\ufe0f", "heart⟨U+FE0F⟩"),
        ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩"),
        ("no\u00a0break", "no⟨U+00A0⟩break"),
    ],
)
def test_what_hides_is_written_as_its_code_point(hidden: str, shown: str) -> None:
    """Controls, reorderings, blanks, surrogates and the escape's own bracket show themselves."""
    assert visible(hidden) == shown


@pytest.mark.parametrize("text", ["plain", "Zürich 東京 שלום", "é", "😀", "<script>", "a b"])
def test_what_shows_itself_stays(text: str) -> None:
    """Letters of every script, symbols and spaces are no suspects."""
    assert visible(text) == text


def test_combining_marks_do_not_pile_up() -> None:
    """Four marks on a letter stay; every further one is written as its code point."""
    assert visible("q" + "\u0301" * 6) == "q" + "\u0301" * 4 + "⟨U+0301⟩" * 2


@pytest.mark.parametrize(
    ("decomposed", "shown"),
    [
        ("e\u0301", "e⟨U+0301⟩"),
        ("a\u0327\u0301", "a\u0327⟨U+0301⟩"),
        ("\u212b", "⟨U+212B⟩"),
        ("\u1112\u1161\u11ab", "\u1112⟨U+1161⟩\u11ab"),
    ],
)
def test_what_draws_like_another_text_is_told_apart(decomposed: str, shown: str) -> None:
    """A text that is not in NFC shows where: it would look like the one that is."""
    assert shown == visible(decomposed)
    assert visible(unicodedata.normalize("NFC", decomposed)) == unicodedata.normalize("NFC", decomposed)


@given(ANY_TEXT)
def test_nothing_unprintable_gets_through(text: str) -> None:
    """Whatever goes in, what comes out is printable and can be written as UTF-8."""
    shown = visible(text)

    assert shown.isprintable()
    assert len(shown.encode()) >= len(text)


@given(ANY_TEXT, ANY_TEXT)
def test_two_texts_never_look_alike_by_escaping(one: str, other: str) -> None:
    """Texts that are shown alike are equal: the escape cannot be forged."""
    assert (visible(one) == visible(other)) == (one == other)


def test_a_long_text_says_what_was_left_out() -> None:
    """A clipped text carries the number of characters that are not shown."""
    assert clipped("x" * 3_000_012, 12) == "x" * 12 + " … 3,000,000 characters left out"
    assert clipped("x" * CHARACTERS_MAX) == "x" * CHARACTERS_MAX


def test_clipping_comes_before_escaping() -> None:
    """A limit counts the characters of the text, and no escape is cut in half."""
    assert clipped("\x00" * 3, 2) == "⟨U+0000⟩⟨U+0000⟩ … 1 characters left out"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("sha256:" + "ab" * 32, "sha256:abababab…abababab"),
        ("short", "short"),
        ("x" * 19, "x" * 19),
        ("x" * 20, "x" * 8 + "…" + "x" * 8),
    ],
)
def test_ids_are_shortened_in_the_middle(text: str, short: str) -> None:
    """Both ends stay readable, and a digest keeps the name of its algorithm."""
    assert shortened(text) == short


def test_the_blank_letters_are_known_to_unicode() -> None:
    """The letters that draw nothing are assigned characters, so that none was mistyped."""
    blanks = "\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5"

    assert [unicodedata.name(letter, "") for letter in blanks if not unicodedata.name(letter, "")] == []
    assert all(visible(letter) != letter for letter in blanks)
