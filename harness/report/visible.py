"""Lane text made visible: whatever could hide, reorder or command is shown as its code point.

Everything that came over a wire is hostile. A reader must be able to trust that what is on the page is what
was in the bytes, and that no text moves its neighbours or ends the element it stands in.
"""

import unicodedata
from collections.abc import Iterator

CHARACTERS_MAX = 4_000
"""No single value is shown longer than this, wherever it stands."""

MARKS_MAX = 4
"""More combining marks than this on one letter are a way to paint over the neighbours."""

# Letters and symbols that draw nothing although Unicode calls them printable.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
_VARIATION = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))


def visible(text: str) -> str:
    """`text` with every character that does not show itself written as ⟨U+202E⟩.

    The opening bracket is written as ⟨U+27E8⟩, so that a text cannot pretend to hold such a character.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(text))


def clipped(text: str, characters_max: int = CHARACTERS_MAX) -> str:
    """The first characters of `text`, made visible; what was left out is said with its number."""
    if len(text) <= characters_max:
        return visible(text)
    return f"{visible(text[:characters_max])} … {len(text) - characters_max:,} characters left out"


def shortened(text: str, ends: int = 8) -> str:
    """`text` shortened in the middle: both ends stay, for digests and ids."""
    if len(text) <= 2 * ends + 3:
        return visible(text)
    head, colon, tail = text.partition(":")
    if colon and len(head) <= 8:
        return f"{visible(head)}:{shortened(tail, ends)}"
    return f"{visible(text[:ends])}…{visible(text[-ends:])}"


def _shown(text: str) -> Iterator[str]:
    marks, cluster = 0, ""
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > MARKS_MAX or _hides(character) or _looks_composed(cluster, character):
            yield f"⟨U+{ord(character):04X}⟩"
        else:
            yield character
        if not unicodedata.combining(character):
            cluster = character
        elif marks <= MARKS_MAX:
            cluster += character


def _looks_composed(cluster: str, character: str) -> bool:
    """Whether the character draws, alone or on what stands before it, what another character draws as well.

    `e` and U+0301 look like `é`, and are another text: bodies that differ in nothing else must not look alike.
    """
    if character.isascii():
        return False
    return unicodedata.normalize("NFC", cluster + character) != unicodedata.normalize("NFC", cluster) + character


def _hides(character: str) -> bool:
    if character == "⟨" or not character.isprintable() or character in _BLANK:
        return True
    return any(ord(character) in selectors for selectors in _VARIATION)
