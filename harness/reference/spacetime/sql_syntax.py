"""The SQL that the server understands, as a syntax tree: one SELECT over one table (wire sheet 1.3.3, 3.2)."""

import re
from dataclasses import dataclass
from typing import Protocol

TEXT_LENGTH_MAX = 50_000
NESTING_MAX = 60
COMPARISONS = {"=", "<>", "!=", "<", ">", "<=", ">="}
_UNSUPPORTED_TESTS = {"LIKE", "ILIKE", "IN", "BETWEEN", "IS", "NOT"}
_DML = {"INSERT", "UPDATE", "DELETE"}
_CLAUSES = {"WHERE", "LIMIT", "ORDER", "GROUP", "HAVING", "OFFSET", "FETCH", "UNION", "FOR"}
_JOINS = {"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"}
_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*)
    |(?P<hex>0x[0-9A-Fa-f]+|[xX]'[0-9A-Fa-f]*')
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<string>'(?:[^']|'')*')
    |(?P<quoted>"[^"]+")
    |(?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    |(?P<parameter>:[A-Za-z_]+)
    |(?P<sign><>|!=|<=|>=|[=<>(),.*;+\-/%])""",
    re.VERBOSE,
)


class SqlError(Exception):
    """A statement that is not answered; the text is the server's own."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal by its text; quotes and prefixes are taken off. `kind`: string, number, hex or bool."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column, with the table it was qualified with, or None."""

    table: str | None
    column: str


@dataclass(frozen=True, slots=True)
class Sender:
    """`:sender`, the caller's identity."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Logic:
    """Parts joined by AND or OR."""

    operator: str
    parts: tuple["Expression", ...]


Expression = Literal | ColumnName | Sender | Comparison | Logic


@dataclass(frozen=True, slots=True)
class Star:
    """`*` or `table.*`."""

    table: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """`COUNT(*) AS alias`."""

    alias: str


@dataclass(frozen=True, slots=True)
class ColumnList:
    """Columns with the names they get in the answer."""

    columns: tuple[tuple[ColumnName, str], ...]


Projection = Star | Count | ColumnList


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT. `limit` is the literal's text."""

    projection: Projection
    table: str
    alias: str
    where: Expression | None
    limit: str | None


@dataclass(frozen=True, slots=True)
class Dml:
    """An INSERT, UPDATE or DELETE: known, never carried out here."""

    text: str


def parsed_statement(text: str) -> Select | Dml:
    """The one statement in `text`. Raises SqlError."""
    if len(text) > TEXT_LENGTH_MAX:
        shown = text[:120]
        raise SqlError(f'SQL query exceeds maximum allowed length: {len(text)} > {TEXT_LENGTH_MAX}: "{shown}..."')
    return _Parser(text).statement()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = " ".join(text.split())
        self._tokens = list(_tokens(text))
        self._at = 0

    def statement(self) -> Select | Dml:
        if not any(kind != "sign" or text != ";" for kind, text in self._tokens):
            raise SqlError("Empty SQL query")
        word = self._word()
        if word in _DML:
            self._check_single()
            return Dml(self._text)
        if word in {"SET", "SHOW", "WITH", "CREATE", "DROP", "ALTER", "EXPLAIN"}:
            raise SqlError(f"Unsupported: {self._text}")
        if word != "SELECT":
            raise self._unexpected("an SQL statement")
        return self._select()

    def _select(self) -> Select:
        self._check_single()
        self._at += 1
        if self._word() == "DISTINCT":
            raise SqlError(f"Unsupported: {self._text}")
        projection = self._projection()
        if self._word() != "FROM":
            if self._done():
                raise SqlError("A FROM clause is required")
            raise self._unexpected("end of statement")
        self._at += 1
        table, alias = self._source()
        where = self._where()
        limit = self._limit()
        self._end()
        return Select(projection, table, alias, where, limit)

    def _projection(self) -> Projection:
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        if len(items) == 1 and not isinstance(items[0], tuple):
            return items[0]
        columns = []
        for item in items:
            if not isinstance(item, tuple):
                raise SqlError("Mixed wildcard projections are not supported")
            columns.append(item)
        return ColumnList(tuple(columns))

    def _item(self) -> Star | Count | tuple[ColumnName, str]:
        if self._take("*"):
            return Star(None)
        start = self._at
        name = self._name()
        if self._sign() == "(":
            return self._count(name, start)
        column = ColumnName(None, name)
        if self._take("."):
            if self._take("*"):
                return Star(name)
            column = ColumnName(name, self._name())
        return column, self._alias() or column.column

    def _count(self, function: str, start: int) -> Count:
        self._at += 1
        arguments = []
        while not self._done() and self._sign() != ")":
            arguments.append(self._tokens[self._at][1])
            self._at += 1
        self._need(")")
        alias = self._alias()
        if alias is None:
            raise SqlError("Aggregate expressions must have column aliases")
        if function.upper() != "COUNT" or arguments != ["*"]:
            written = "".join(text for _, text in self._tokens[start : start + len(arguments) + 3])
            raise SqlError(f"Unsupported aggregate function: {written}")
        return Count(alias)

    def _alias(self) -> str | None:
        if self._word() == "AS":
            self._at += 1
            return self._name()
        kind = self._kind()
        if kind == "quoted" or (kind == "word" and self._word() not in _CLAUSES | _JOINS | {"FROM", "ON"}):
            return self._name()
        return None

    def _source(self) -> tuple[str, str]:
        if self._sign() == "*":
            self._at += 1
            return "*", "*"
        table = self._name()
        if self._take("."):
            raise SqlError(f"Multi-part names are not supported: {table}.{self._name()}")
        alias = self._alias() or table
        if self._sign() == ",":
            raise SqlError("Implicit joins are not supported")
        if self._word() in _JOINS:
            raise SqlError(f"Unsupported: {self._text}")
        return table, alias

    def _where(self) -> Expression | None:
        if self._word() != "WHERE":
            return None
        self._at += 1
        return self._or(0)

    def _or(self, depth: int) -> Expression:
        return self._joined("OR", self._and, depth)

    def _and(self, depth: int) -> Expression:
        return self._joined("AND", self._test, depth)

    def _joined(self, word: str, part: "_Part", depth: int) -> Expression:
        parts = [part(depth)]
        while self._word() == word:
            self._at += 1
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else Logic(word, tuple(parts))

    def _test(self, depth: int) -> Expression:
        left = self._operand(depth)
        if self._word() in _UNSUPPORTED_TESTS:
            raise SqlError(f"Unsupported expression: {self._text.partition(' WHERE ')[2] or self._text}")
        sign = self._sign()
        if sign in {"+", "-", "/", "%", "*"}:
            raise SqlError(f"Unsupported binary operator: {sign}")
        if sign not in COMPARISONS:
            return left
        self._at += 1
        return Comparison("<>" if sign == "!=" else sign, left, self._operand(depth))

    def _operand(self, depth: int) -> Expression:
        if depth > NESTING_MAX:
            raise SqlError("sql parser error: recursion limit exceeded")
        if self._take("("):
            inner = self._or(depth + 1)
            self._need(")")
            return inner
        if self._sign() in {"+", "-"}:
            sign = self._tokens[self._at][1]
            self._at += 1
            return Literal("number", sign + self._of_kind("number"))
        return self._atom()

    def _atom(self) -> Expression:
        kind = self._kind()
        if kind in {"number", "string", "hex"}:
            return Literal(kind, self._of_kind(kind))
        if kind == "parameter":
            return self._parameter()
        if self._word() in {"TRUE", "FALSE"}:
            return Literal("bool", self._name().lower())
        if self._word() in _UNSUPPORTED_TESTS:
            raise SqlError(f"Unsupported expression: {self._text}")
        name = self._name("an expression")
        return ColumnName(name, self._name()) if self._take(".") else ColumnName(None, name)

    def _parameter(self) -> Sender:
        name = self._of_kind("parameter")
        if name != ":sender":
            raise SqlError(f"Unsupported literal expression: {name}")
        return Sender()

    def _limit(self) -> str | None:
        if self._word() != "LIMIT":
            return None
        self._at += 1
        if self._kind() != "number":
            raise SqlError(f"Unsupported: {self._text}")
        return self._of_kind("number")

    def _end(self) -> None:
        self._take(";")
        if self._word() in _CLAUSES:
            raise SqlError(f"Unsupported: {self._text}")
        if not self._done():
            raise self._unexpected("end of statement")

    def _check_single(self) -> None:
        signs = [at for at, token in enumerate(self._tokens) if token == ("sign", ";")]
        if signs and signs[0] < len(self._tokens) - 1:
            raise SqlError("Multiple SQL statements are not supported")

    def _done(self) -> bool:
        return self._at >= len(self._tokens)

    def _kind(self) -> str:
        return "" if self._done() else self._tokens[self._at][0]

    def _word(self) -> str:
        return self._tokens[self._at][1].upper() if self._kind() == "word" else ""

    def _sign(self) -> str:
        return self._tokens[self._at][1] if self._kind() == "sign" else ""

    def _take(self, sign: str) -> bool:
        found = self._sign() == sign
        self._at += found
        return found

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unexpected(sign)

    def _of_kind(self, kind: str) -> str:
        if self._kind() != kind:
            raise self._unexpected(f"a {kind}")
        text = self._tokens[self._at][1]
        self._at += 1
        return _unwrapped(kind, text)

    def _name(self, what: str = "identifier") -> str:
        kind = self._kind()
        if kind not in {"word", "quoted"}:
            raise self._unexpected(what)
        return self._of_kind(kind)

    def _unexpected(self, needed: str) -> SqlError:
        found = "EOF" if self._done() else self._tokens[self._at][1]
        return SqlError(f"sql parser error: Expected {needed}, found: {found}")


class _Part(Protocol):
    """The type of a parser method that reads one part of a logic expression."""

    def __call__(self, depth: int) -> Expression: ...


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise SqlError(f"sql parser error: Unterminated string literal or unexpected character at {at + 1}")
        if match.lastgroup != "blank":
            found.append((match.lastgroup, match.group()))
        at = match.end()
    return found


def _unwrapped(kind: str, text: str) -> str:
    match kind:
        case "string":
            return text[1:-1].replace("''", "'")
        case "quoted":
            return text[1:-1]
        case "hex":
            return text[2:].rstrip("'")
        case _:
            return text
