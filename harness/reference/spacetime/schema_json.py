"""The module's description as `GET …/schema?version=9` gives it, and column types as SQL answers name them."""

from functools import cache

from harness.reference.spacetime.sats import Array, Boolean, Bytes, Option, Product, SatsType, Text, Unsigned
from harness.reference.spacetime.schema import (
    NEW_EVENT,
    REDUCERS,
    TABLES,
    ColumnType,
    ReducerDefinition,
    TableDefinition,
)

NONE: dict[str, object] = {"none": []}
NEW_EVENT_REF = 1
Json = dict[str, object]


def some(value: object) -> Json:
    """A present Option."""
    return {"some": value}


def element(name: str, algebraic_type: Json) -> Json:
    """A named element of a product type."""
    return {"name": some(name), "algebraic_type": algebraic_type}


def column_type(kind: ColumnType) -> Json:
    """The algebraic type of a column."""
    match kind:
        case ColumnType.STRING | ColumnType.U64 | ColumnType.U8:
            return {kind.value: []}
        case ColumnType.BYTES:
            return {"Array": {"U8": []}}
        case ColumnType.TIMESTAMP:
            return _wrapped("__timestamp_micros_since_unix_epoch__", "I64")
        case ColumnType.IDENTITY:
            return _wrapped("__identity__", "U256")


@cache
def module_schema() -> Json:
    """The whole description: type space, tables, reducers and type names."""
    tables = sorted(TABLES.values(), key=lambda table: table.name)
    type_names = {table.type_ref: table.type_name for table in tables} | {NEW_EVENT_REF: "NewEvent"}
    types = {table.type_ref: _row_type(table) for table in tables} | {NEW_EVENT_REF: argument_type(NEW_EVENT)}
    return {
        "typespace": {"types": [types[ref] for ref in sorted(types)]},
        "tables": [_table(table) for table in tables],
        "reducers": [_reducer(REDUCERS[name]) for name in sorted(REDUCERS)],
        "types": [
            {"name": {"scope": [], "name": type_names[ref]}, "ty": ref, "custom_ordering": True}
            for ref in sorted(type_names)
        ],
        "misc_exports": [],
        "row_level_security": [],
    }


def argument_type(kind: SatsType) -> Json:
    """The algebraic type of a reducer's parameter."""
    match kind:
        case Text():
            return {"String": []}
        case Unsigned(bits):
            return {f"U{bits}": []}
        case Boolean():
            return {"Bool": []}
        case Bytes():
            return {"Array": {"U8": []}}
        case Option(inner):
            unit: Json = {"Product": {"elements": []}}
            variants = [element("some", argument_type(inner)), element("none", unit)]
            return {"Sum": {"variants": variants}}
        case Array(item):
            return {"Array": {"Ref": NEW_EVENT_REF} if item == NEW_EVENT else argument_type(item)}
        case Product(fields):
            return {"Product": {"elements": [element(name, argument_type(inner)) for name, inner in fields]}}
        case _:
            raise TypeError(f"no reducer of the module takes {kind}")


def _wrapped(name: str, primitive: str) -> Json:
    return {"Product": {"elements": [element(name, {primitive: []})]}}


def _row_type(table: TableDefinition) -> Json:
    elements = [element(column.name, column_type(column.type)) for column in table.columns]
    return {"Product": {"elements": elements}}


def _table(table: TableDefinition) -> Json:
    unique = sorted({table.primary_key, *table.unique})
    indexed = [("", (column,)) for column in unique] + list(table.indexes)
    return {
        "name": table.name,
        "product_type_ref": table.type_ref,
        "primary_key": [table.primary_key],
        "indexes": [_index(table, accessor, columns) for accessor, columns in indexed],
        "constraints": [_constraint(table, column) for column in unique],
        "sequences": [],
        "schedule": NONE,
        "table_type": {"User": []},
        "table_access": {"Public" if table.public else "Private": []},
    }


def _index(table: TableDefinition, accessor: str, columns: tuple[int, ...]) -> Json:
    names = "_".join(table.columns[column].name for column in columns)
    return {
        "name": some(f"{table.name}_{names}_idx_btree"),
        "accessor_name": some(accessor or names),
        "algorithm": {"BTree": list(columns)},
    }


def _constraint(table: TableDefinition, column: int) -> Json:
    name = f"{table.name}_{table.columns[column].name}_key"
    return {"name": some(name), "data": {"Unique": {"columns": [column]}}}


def _reducer(reducer: ReducerDefinition) -> Json:
    elements = [element(name, argument_type(kind)) for name, kind in reducer.parameters]
    return {
        "name": reducer.name,
        "params": {"elements": elements},
        "lifecycle": some({reducer.lifecycle: []}) if reducer.lifecycle else NONE,
    }
