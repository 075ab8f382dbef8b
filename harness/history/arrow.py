"""Arrow arrays as NumPy arrays and rows, without a detour through pandas."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.model.errors import FormatError

_BATCH_ROWS = 65_536
_ITEM = {pa.int8(): np.int8, pa.int32(): np.int32, pa.int64(): np.int64, pa.uint64(): np.uint64}


def numbers(array: pa.Array) -> NDArray[Any]:
    """The values of an integer array, not copied. Raises FormatError where one is null."""
    if array.null_count:
        raise FormatError(f"{array.null_count} values of a number column are missing; record the run again")
    item = np.dtype(_ITEM[array.type])
    return np.frombuffer(array.buffers()[1], item, len(array), array.offset * item.itemsize)


def byte_rows(array: pa.Array) -> Iterator[bytes]:
    """The values of a large_binary array, one after the other."""
    if not len(array):
        return
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8).tolist()
    held = memoryview(data) if data is not None else memoryview(b"")
    begin = ends[0]
    for end in ends[1:]:
        yield bytes(held[begin:end])
        begin = end


def records(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table as dicts, a batch at a time."""
    names = table.column_names
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        for row in zip(*map(_values, batch.columns), strict=True):
            yield dict(zip(names, row, strict=True))


def _values(array: pa.Array) -> list[Any]:
    """The values of a column, None where there is none; several times faster than `to_pylist` alone."""
    if array.type in _ITEM and not array.null_count:
        found: list[Any] = numbers(array).tolist()
        return found
    if pa.types.is_string(array.type):
        encoded = array.dictionary_encode()
        texts = [*encoded.dictionary.to_pylist(), None]
        return [texts[code] for code in numbers(encoded.indices.fill_null(len(texts) - 1)).tolist()]
    listed: list[Any] = array.to_pylist()
    return listed
