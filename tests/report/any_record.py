"""Any run record that the types allow, for the laws that hold for all of them."""

from dataclasses import is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from harness.model.run_record import RunRecord

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=8)
NUMBERS = st.integers(min_value=0, max_value=2**64)


def _strategy(wanted: Any) -> st.SearchStrategy[Any]:
    """Any value of the type `wanted`, few items to a tuple."""
    if get_origin(wanted) is tuple:
        return st.lists(_strategy(get_args(wanted)[0]), max_size=2).map(tuple)
    if get_args(wanted):
        return st.none() | _strategy(get_args(wanted)[0])
    if is_dataclass(wanted) and isinstance(wanted, type):
        members = {name: _strategy(hint) for name, hint in get_type_hints(wanted).items()}
        return st.builds(wanted, **members)
    return {str: TEXTS, int: NUMBERS}.get(wanted, st.from_type(wanted))


RUN_RECORDS = _strategy(RunRecord).map(lambda record: replace(record, format="lane-parity/verdict/1", exit_code=1))
