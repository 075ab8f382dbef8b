"""SELECT statements checked against the module's tables and made ready to run."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from harness.reference.spacetime.rows import Row, Value
from harness.reference.spacetime.schema import TABLES, ColumnType, TableDefinition
from harness.reference.spacetime.sql_syntax import (
    ColumnList,
    ColumnName,
    Comparison,
    Count,
    Dml,
    Expression,
    Literal,
    Logic,
    Select,
    Sender,
    SqlError,
    Star,
    parsed_statement,
)
from harness.reference.spacetime.table import Table

Test = Callable[[Row], bool]
Comparer = Callable[[Any, Any], bool]
BOOL = "Bool"
_OPERATORS: dict[str, Comparer] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEX = re.compile(r"[0-9A-Fa-f]*")
_UNSIGNED_MAX = {ColumnType.U64: 2**64 - 1, ColumnType.U8: 2**8 - 1}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the identity (hex digits) and whether it owns the database."""

    identity: str
    owner: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A filter over one table. `key` is an indexed column and its value, where the filter demands one."""

    table: TableDefinition
    test: Test | None
    key: tuple[int, Value] | None

    def rows(self, tables: Mapping[str, Table]) -> Iterator[Row]:
        """The matching rows in the order the table gives them."""
        stored = tables[self.table.name]
        found = stored.scan() if self.key is None else stored.equal(*self.key)
        return found if self.test is None else filter(self.test, found)


@dataclass(frozen=True, slots=True)
class Statement:
    """A SELECT for the HTTP API: the query, the columns of its answer and its limit.

    `columns` are (name, position); None = COUNT, whose name is `count_alias`.
    """

    query: Query
    columns: tuple[tuple[str, int], ...] | None
    count_alias: str
    limit: int | None


def compiled_statement(text: str, caller: Caller) -> Statement:
    """A SELECT of the HTTP API. Raises SqlError."""
    select = parsed_statement(text)
    if isinstance(select, Dml):
        if not caller.owner:
            raise SqlError("Only owners are authorized to run SQL DML statements")
        raise SqlError(f"Unsupported: {select.text}")
    query = _query(select, caller)
    limit = None if select.limit is None else _literal_value(Literal("number", select.limit), ColumnType.U64)
    columns = _projected(select, query.table)
    alias = select.projection.alias if isinstance(select.projection, Count) else ""
    return Statement(query, columns, alias, None if limit is None else int(limit))


def compiled_subscription(text: str, caller: Caller) -> list[Query]:
    """The queries of a subscription text: one, or one a visible table for `SELECT * FROM *`. Raises SqlError."""
    select = parsed_statement(text)
    if isinstance(select, Dml):
        raise SqlError("Unsupported: Non-SELECT queries")
    if select.limit is not None:
        raise SqlError(f"Unsupported: {' '.join(text.split())}")
    if not isinstance(select.projection, Star):
        raise SqlError("Column projections are not supported in subscriptions; Subscriptions must return a table type")
    if select.table == "*":
        return [Query(table, None, None) for table in TABLES.values() if table.public or caller.owner]
    return [_query(select, caller)]


def _query(select: Select, caller: Caller) -> Query:
    table = TABLES.get(select.table)
    if table is None or not (table.public or caller.owner):
        raise SqlError(f"`{select.table}` is not a valid table")
    if isinstance(select.projection, Star) and select.projection.table not in (None, select.alias):
        raise SqlError(f"`{select.projection.table}` is not in scope")
    if select.where is None:
        return Query(table, None, None)
    compiler = _Compiler(table, select.alias, caller)
    return Query(table, compiler.test(select.where), compiler.index_key(select.where))


def _projected(select: Select, table: TableDefinition) -> tuple[tuple[str, int], ...] | None:
    match select.projection:
        case Star():
            return tuple((column.name, at) for at, column in enumerate(table.columns))
        case Count():
            return None
        case ColumnList(columns):
            compiler = _Compiler(table, select.alias, Caller("", False))
            named = tuple((alias, compiler.position(name)) for name, alias in columns)
            for alias, _ in named:
                if sum(alias == other for other, _ in named) > 1:
                    raise SqlError(f"Duplicate name `{alias}`")
            return named


@dataclass(frozen=True, slots=True)
class _Compiler:
    table: TableDefinition
    alias: str
    caller: Caller

    def test(self, expression: Expression) -> Test:
        match expression:
            case Logic(word, parts):
                tests = [self.test(part) for part in parts]
                return _all_of(tests) if word == "AND" else _any_of(tests)
            case Comparison():
                return self._comparison(expression)
            case Literal("bool", text):
                return _constant(text == "true")
            case ColumnName():
                kind = self.table.columns[self.position(expression)].type
                raise SqlError(f"Unexpected type: (expected) {kind.value} != {BOOL} (inferred)")
            case _:
                raise SqlError("Cannot resolve type for literal expression")

    def index_key(self, expression: Expression) -> tuple[int, Value] | None:
        """An indexed column that must equal a value for the expression to hold, unique columns first."""
        parts = expression.parts if isinstance(expression, Logic) and expression.operator == "AND" else (expression,)
        keys = [key for key in map(self._equality, parts) if key is not None]
        unique = {self.table.primary_key, *self.table.unique}
        indexed = unique | {columns[0] for _, columns in self.table.indexes if len(columns) == 1}
        usable = [key for key in keys if key[0] in indexed]
        return min(usable, key=lambda key: key[0] not in unique, default=None)

    def position(self, name: ColumnName) -> int:
        if name.table not in (None, self.alias):
            raise SqlError(f"`{name.table}` is not in scope")
        position = self.table.position(name.column)
        if position is None:
            raise SqlError(f"`{name.column}` is not in scope")
        return position

    def _equality(self, part: Expression) -> tuple[int, Value] | None:
        if not isinstance(part, Comparison) or part.operator != "=":
            return None
        left, right = part.left, part.right
        if isinstance(right, ColumnName):
            left, right = right, left
        if not isinstance(left, ColumnName) or not isinstance(right, Literal | Sender):
            return None
        position = self.position(left)
        return position, self._value(right, self.table.columns[position].type)

    def _comparison(self, comparison: Comparison) -> Test:
        left, right, sign = comparison.left, comparison.right, comparison.operator
        if isinstance(left, Literal | Sender):
            left, right, sign = right, left, _MIRRORED[sign]
        if isinstance(left, Literal | Sender):
            raise SqlError("Cannot resolve type for literal expression")
        if not isinstance(left, ColumnName) or not isinstance(right, ColumnName | Literal | Sender):
            raise SqlError("Unsupported expression: comparison of comparisons")
        position = self.position(left)
        kind = self.table.columns[position].type
        compare = _OPERATORS[sign]
        if isinstance(right, ColumnName):
            return self._column_test(position, compare, right)
        return _value_test(position, compare, self._value(right, kind))

    def _column_test(self, position: int, compare: Comparer, right: ColumnName) -> Test:
        other = self.position(right)
        left_type, right_type = (self.table.columns[at].type for at in (position, other))
        if left_type is not right_type:
            raise SqlError(f"Unexpected type: (expected) {right_type.value} != {left_type.value} (inferred)")
        return lambda row: compare(row[position], row[other])

    def _value(self, operand: Literal | Sender, kind: ColumnType) -> Value:
        if isinstance(operand, Literal):
            return _literal_value(operand, kind)
        if kind is not ColumnType.IDENTITY:
            raise SqlError(f"Unexpected type: (expected) Identity != {kind.value} (inferred)")
        return self.caller.identity


def _literal_value(literal: Literal, kind: ColumnType) -> Value:
    if literal.kind == "bool":
        raise SqlError(f"Unexpected type: (expected) {BOOL} != {kind.value} (inferred)")
    try:
        return _parsed(literal.text, kind)
    except (ValueError, InvalidOperation) as error:
        raise SqlError(f"The literal expression `{literal.text}` cannot be parsed as type `{kind.value}`") from error


def _parsed(text: str, kind: ColumnType) -> Value:
    match kind:
        case ColumnType.STRING:
            return text
        case ColumnType.U64 | ColumnType.U8:
            return _whole(text, _UNSIGNED_MAX[kind])
        case ColumnType.BYTES:
            return _hex(text)
        case ColumnType.IDENTITY:
            return _hex(text, digits=64)
        case ColumnType.TIMESTAMP:
            return _timestamp_us(text)


def _whole(text: str, value_max: int) -> int:
    number = Decimal(text)
    # Before int(): an exponent of a million would make a number of a million digits.
    if number.adjusted() > 20 or number != number.to_integral_value():
        raise ValueError(f"{text} is not a whole number in range")
    if not 0 <= number <= value_max:
        raise ValueError(f"{text} is out of range")
    return int(number)


def _timestamp_us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _hex(text: str, digits: int | None = None) -> str:
    bare = text.removeprefix("0x").lower()
    if len(bare) % 2 or not _HEX.fullmatch(bare) or digits not in (None, len(bare)):
        raise ValueError(f"{text} is not hex")
    return bare


def _value_test(position: int, compare: Comparer, value: Value) -> Test:
    return lambda row: compare(row[position], value)


def _all_of(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda row: first(row) and second(row)
    return lambda row: all(test(row) for test in tests)


def _any_of(tests: list[Test]) -> Test:
    return lambda row: any(test(row) for test in tests)


def _constant(value: bool) -> Test:
    return lambda _row: value
