"""Pages of an authority."""

import pytest

from harness.model.errors import FormatError
from harness.wire.json_members import next_in
from harness.wire.json_slices import value_end
from harness.wire.pages import page_of


def row_at(text: str, at: int) -> tuple[str, int, bool]:
    end = value_end(text, at)
    return text[at:end], *next_in(text, end, "]")


def test_rows_are_cut_out_and_the_other_members_stay_raw() -> None:
    """Whatever order the members stand in."""
    page = page_of(' {"rows" : [1, {"a": []}], "n": 7}', "rows", row_at, ("n",))

    assert ({"n": "7"}, ["1", '{"a": []}']) == page


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"rows":[]}', "n and rows are wanted"),
        ('{"n":1}', "n and rows are wanted"),
        ('{"n":1,"n":1,"rows":[]}', "'n' occurs twice"),
        ('{"n":1,"rows":[],"rows":[]}', "'rows' occurs twice"),
        ('{"n":1,"rows":[]}]', "more follows"),
        ("[]", "'{' was wanted"),
    ],
)
def test_what_is_no_page_is_refused(text: str, reason: str) -> None:
    """Which of two members is meant nobody can say."""
    with pytest.raises(FormatError) as refused:
        page_of(text, "rows", row_at, ("n",))

    assert reason in str(refused.value)
