"""Envelopes as columns."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.history.columns import Codes, EnvelopeGatherer, Envelopes, Misfit
from harness.model.errors import FormatError
from harness.wire.canonical import decode_hash
from harness.wire.events import Delivery

DIGEST = sha256(b"x").digest()
hashes = st.one_of(
    st.none(),
    st.sampled_from(
        [
            f"sha256:{DIGEST.hex()}",
            DIGEST.hex(),
            "vSRF8nEGHWKQPRSfB0SZHRpTjpEy6nqrm5XjQ6T2sQk=",
            "sha256:deadbeef",
            "sha256:" + "z" * 64,
            "sha256:" + " " * 64,
            "",
        ]
    ),
)


def delivery(seq: int = 1, carried: str | None = None, stream: str = "s", topic: str | None = None) -> Delivery:
    return Delivery(stream, seq, "kind", "2026-02-25T12:00:00Z", b"{}", carried, topic, None if topic is None else seq)


def gathered(deliveries: list[Delivery], chunk_rows: int = 3) -> tuple[Envelopes, list[Misfit]]:
    gatherer = EnvelopeGatherer(Codes(), Codes(), lambda name: name)
    for unit, one in enumerate(deliveries):
        gatherer.pending.append((one, unit, 0, unit))
        gatherer.settle(chunk_rows)
    rows, carriers = gatherer.finished()
    assert len(carriers) == len(rows)
    return rows, gatherer.misfits


def decoded(text: str | None) -> tuple[bool, bool]:
    """(has a hash, has a text that is none), as the codec says."""
    if text is None:
        return False, False
    try:
        decode_hash(text)
    except FormatError:
        return False, True
    return True, False


@given(st.lists(hashes, max_size=9), st.integers(1, 5))
def test_carried_hashes_are_those_of_the_codec(texts: list[str | None], chunk_rows: int) -> None:
    """However they are spelled and wherever chunks end: hash, no hash, or a text that is none."""
    rows, _ = gathered([delivery(carried=text) for text in texts], chunk_rows)

    assert [decoded(text) for text in texts] == list(
        zip(rows.has_carried.tolist(), rows.bad_carried.tolist(), strict=True)
    )
    assert [decode_hash(text) for text in texts if text and decoded(text)[0]] == [
        row.tobytes() for row in rows.carried[rows.has_carried]
    ]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=9), st.integers(1, 4))
def test_rows_keep_their_order_over_chunks(seqs: list[int], chunk_rows: int) -> None:
    """No row is lost, doubled or moved where a chunk ends."""
    rows, _ = gathered([delivery(seq) for seq in seqs], chunk_rows)

    assert seqs == rows.seq.tolist()
    assert list(range(len(seqs))) == rows.unit.tolist()
    assert {sha256(b"{}").digest()} >= {row.tobytes() for row in rows.raw}


@pytest.mark.parametrize(
    ("one", "misfit"),
    [
        (delivery(4, topic="s"), []),
        (delivery(4), []),
        (delivery(4, topic="t"), [Misfit(1, "s", 4, "t", 4)]),
        (delivery(4, topic="s")._replace(wrapped_seq=5), [Misfit(1, "s", 4, "s", 5)]),
    ],
)
def test_misfits_name_row_and_both_keys(one: Delivery, misfit: list[Misfit]) -> None:
    """An inner key that is not the row's is kept with both; others cost nothing."""
    _, misfits = gathered([delivery(3, topic="s"), one])

    assert misfit == misfits
