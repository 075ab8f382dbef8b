"""Pages of an authority's outbox."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import ProtocolError
from harness.wire.outbox_rows import OutboxPage, OutboxRow, outbox_page
from tests.wire.frames import AT, HOSTILE, TOPIC, compact, json_values, mutated, names, uint64s


def told(row: OutboxRow, owner: str = "7", command_id: str | None = "c-1") -> str:
    return (
        f'{{"ordinal":{row.ordinal},"topic":{compact(row.topic)},"sequence":{row.seq},"kind":{compact(row.kind)},'
        f'"payload":{row.body.decode()},"published_at":{compact(AT)},"owner_user_id":{owner},'
        f'"command_id":{compact(command_id)}}}'
    )


def page(*rows: str, head: int = 9) -> bytes:
    return f'{{"boot_id":"b","head_ordinal":{head},"rows":[{",".join(rows)}]}}'.encode()


FIRST = OutboxRow(1, TOPIC, 1, "run.started", b'{"z":1.0, "a":"\\u00e9"}')


def test_page_in_the_authority_s_spelling() -> None:
    """Rows in the answer's order, payloads as they stand; a row may belong to nobody, and to no command."""
    second = OutboxRow(4, "fleet:7:workers", 2, "tool", b"[]")

    assert OutboxPage(9, [FIRST, second]) == outbox_page(page(told(FIRST), told(second, "null", None)))
    assert OutboxPage(0, []) == outbox_page(page(head=0))


rows = st.builds(OutboxRow, uint64s, names, uint64s, names, json_values.map(compact).map(str.encode))


@given(found=st.lists(rows, max_size=4), turn=st.booleans())
def test_every_spelling_gives_the_same_rows(found: list[OutboxRow], turn: bool) -> None:
    """The authority's own spelling keeps a body's very bytes, and members may stand in any order."""
    turned = [dict(reversed(json.loads(told(row)).items())) for row in found]
    body = json.dumps({"rows": turned, "head_ordinal": 9, "boot_id": "b"}).encode() if turn else page(*map(told, found))

    read = outbox_page(body).rows

    assert [one._replace(body=b"") for one in found] == [one._replace(body=b"") for one in read]
    assert [repr(json.loads(one.body)) for one in found] == [repr(json.loads(one.body)) for one in read]
    assert turn or found == read


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (page("5"), "'{' was wanted"),
        (page(told(FIRST).replace('"ordinal":1', '"ordinal":-1')), "member 'ordinal'"),
        (page(told(FIRST).replace('"sequence":1', '"sequence":18446744073709551616')), "member 'sequence'"),
        (page(told(FIRST).replace('"kind"', '"sort"')), "member 'kind' is missing"),
        (b'{"boot_id":"b","rows":[]}', "boot_id, head_ordinal and rows are wanted"),
        (b'{"error":"not_found"}', "boot_id, head_ordinal and rows are wanted"),
        (page() + b"x", "more follows"),
    ],
)
def test_what_is_no_page_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    """A row is never skipped and never guessed."""
    with pytest.raises(ProtocolError, match="not a page of the authority's outbox") as refused:
        outbox_page(body)

    assert reason in str(refused.value)


@given(body=mutated([page(told(FIRST))]) | st.sampled_from(HOSTILE))
def test_hostile_bytes_end_in_rows_or_in_a_protocol_error(body: bytes) -> None:
    """Nothing else gets out."""
    try:
        read = outbox_page(body)
    except ProtocolError:
        return

    assert all(isinstance(row, OutboxRow) for row in read.rows)
