"""Filters: ``year >= 2024 and category = '정책'`` parsed and compiled to SQL with parameters.

Nothing a user writes becomes SQL text: names and values are bound, operators come from a table here.

    condition  := and-list ("or" and-list)*
    and-list   := unary ("and" unary)*
    unary      := "not" unary | "(" condition ")" | comparison
    comparison := name ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") value
                | name ["not"] "in" "(" value ("," value)* ")"
                | name ["not"] "like" text            (% any characters, _ one; backslash takes them literally)
                | name ["not"] "between" value "and" value
                | name "is" ["not"] "null"
    name       := letters, digits, _ . - in any script, or anything in "double quotes"; ``id`` is the record's id
    value      := 'text' (a quote inside is doubled) | number | true | false
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InputError
from .fields import FIELD_CHARACTERS, number_in

Value = str | float
_DEPTH = 64
_PARTS, _VALUES = 200, 10_000
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")+")
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<name>[^\W\d][\w.-]*)|(?P<sign><=|>=|<>|!=|==|[=<>(),]))""",
    re.VERBOSE,
)
_OPERATORS = {"=": "=", "==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_WORDS = {"and", "or", "not", "in", "like", "between", "is", "null", "true", "false"}


@dataclass(frozen=True)
class Filter:
    """A parsed condition, as SQL over a table ``d`` of documents with its parameters.

    :ivar select: a condition that finds rows through the index of values; for counting and listing.
    :ivar check: the same condition, tested row by row; for a few rows that are already known.
    """

    select: str
    check: str
    parameters: tuple[Value, ...]
    names: frozenset[str]
    by_id: bool


class _Token(NamedTuple):
    kind: str
    value: str
    at: int


class _Part(NamedTuple):
    """A piece of SQL; ``{}`` marks each look-up of a field, which has two forms."""

    sql: str
    parameters: tuple[Value, ...]


_SELECT = "d.doc IN (SELECT f.doc FROM field f WHERE f.name = ?{})"
_CHECK = "EXISTS (SELECT 1 FROM field f WHERE f.doc = d.doc AND f.name = ?{})"


def parse(where: str) -> Filter:
    """Parse a condition.

    :raises InputError: where it cannot be read, with the character position.
    """
    parser = _Parser(where)
    part = parser.condition(0)
    parser.end()
    return Filter(
        part.sql.replace("<field>", _SELECT.split("{}")[0]),
        part.sql.replace("<field>", _CHECK.split("{}")[0]),
        part.parameters,
        frozenset(parser.names - {"id"}),
        "id" in parser.names,
    )


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._tokens = list(_scan(where))
        self._at = 0
        self.names: set[str] = set()

    def end(self) -> None:
        """Refuse what follows a complete condition."""
        if self._peek().kind != "end":
            raise self._error("expected and, or, or the end")

    def condition(self, depth: int) -> _Part:
        """Read terms joined by ``or``."""
        if depth > _DEPTH:
            raise InputError(f"--where is nested more than {_DEPTH} deep; write it flatter, for example with in (...)")
        return self._joined("or", lambda: self._joined("and", lambda: self._unary(depth)))

    def _joined(self, word: str, read: Callable[[], _Part]) -> _Part:
        parts = [read()]
        while self._word(word):
            parts.append(read())
        if len(parts) == 1:
            return parts[0]
        if len(parts) > _PARTS:
            raise InputError(f"--where joins more than {_PARTS} conditions by {word}; write it with in (...)")
        return _Part(f"({f' {word.upper()} '.join(p.sql for p in parts)})", _all(p.parameters for p in parts))

    def _unary(self, depth: int) -> _Part:
        if depth > _DEPTH:
            return self.condition(depth)
        if self._word("not"):
            inner = self._unary(depth + 1)
            return _Part(f"NOT {inner.sql}", inner.parameters)
        if self._sign("("):
            inner = self.condition(depth + 1)
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> _Part:
        name = self._name()
        if self._word("is"):
            missing = not self._word("not")
            if not self._word("null"):
                raise self._error("expected null")
            return _negated(missing, self._look(name, "", ()))
        token = self._peek()
        if token.kind == "sign" and token.value in ("!=", "<>"):
            self._at += 1
            # As in SQL, a row without the field is neither equal nor different.
            has, same = self._look(name, "", ()), self._equal(name, [self._value()])
            return _Part(f"({has.sql} AND NOT {same.sql})", has.parameters + same.parameters)
        if token.kind == "sign" and token.value in _OPERATORS:
            self._at += 1
            if _OPERATORS[token.value] == "=":
                return self._equal(name, [self._value()])
            return self._ordered(name, [(_OPERATORS[token.value], self._value())])
        return self._worded(name)

    def _worded(self, name: str) -> _Part:
        negative = self._word("not")
        if self._word("in"):
            self._expect("(")
            values = [self._value()]
            while self._sign(","):
                values.append(self._value())
            self._expect(")")
            if len(values) > _VALUES:
                raise InputError(f"--where lists {len(values)} values; at most {_VALUES}")
            return _negated(negative, self._equal(name, values))
        if self._word("like"):
            pattern = self._value()
            if not isinstance(pattern, str):
                raise self._error("like needs a 'text'")
            return _negated(negative, self._look(name, " AND {} LIKE ? ESCAPE '\\'", (pattern,)))
        if self._word("between"):
            low = self._value()
            if not self._word("and"):
                raise self._error("expected and")
            return _negated(negative, self._ordered(name, [(">=", low), ("<=", self._value())]))
        raise self._error("expected =, !=, <, <=, >, >=, in, like, between or is")

    def _equal(self, name: str, values: list[Value]) -> _Part:
        # '2024' also means the number: a table's cells are texts, a JSON's values are not.
        wide = [other for value in values for other in _spellings(value)]
        return self._look(name, f" AND {{}} IN ({', '.join('?' * len(wide))})", tuple(wide))

    def _ordered(self, name: str, bounds: list[tuple[str, Value]]) -> _Part:
        kinds = {isinstance(value, str) for _, value in bounds}
        if len(kinds) > 1:
            raise InputError(f"--where compares {name!r} with a text and a number at once; use two of a kind")
        kind = "text" if kinds == {True} else "real"
        test = " AND ".join(f"{{}} {operator} ?" for operator, _ in bounds)
        return self._look(name, f" AND typeof({{}}) = '{kind}' AND {test}", tuple(v for _, v in bounds))

    def _look(self, name: str, test: str, parameters: tuple[Value, ...]) -> _Part:
        """Return SQL for "some value of this field passes ``test``", whose ``{}`` stand for the value."""
        self.names.add(name)
        if name == "id":
            condition = test.replace("{}", "d.id").removeprefix(" AND ") or "1"
            return _Part(f"({condition})", parameters)
        return _Part(f"<field>{test.replace('{}', 'f.value')})", (name, *parameters))

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _word(self, word: str) -> bool:
        token = self._peek()
        if token.kind == "name" and token.value.lower() == word:
            self._at += 1
            return True
        return False

    def _sign(self, sign: str) -> bool:
        if self._peek()[:2] == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._error(f"expected {sign}")

    def _name(self) -> str:
        token = self._peek()
        if token.kind == "quoted" or (token.kind == "name" and token.value.lower() not in _WORDS):
            self._at += 1
            return token.value
        raise self._error("expected the name of a field")

    def _value(self) -> Value:
        token = self._peek()
        self._at += 1
        if token.kind == "text":
            if len(token.value) > FIELD_CHARACTERS:
                raise InputError(
                    f"--where compares with a text of {len(token.value)} characters; at most {FIELD_CHARACTERS}"
                )
            return token.value
        if token.kind == "number":
            return float(token.value)
        if token.kind == "name" and token.value.lower() in ("true", "false"):
            return token.value.lower()
        self._at -= 1
        raise self._error("expected 'text', a number, true or false")

    def _error(self, expected: str) -> InputError:
        token = self._peek()
        found = "it ends" if token.kind == "end" else f"found {token.value!r}"
        return InputError(f"--where cannot be read at character {token.at}: {expected}, {found}")


def _scan(where: str) -> Iterable[_Token]:
    at = 0
    end = len(where.rstrip())
    while at < end:
        match = _TOKEN.match(where, at)
        if match is None or not match.lastgroup:
            rest = where[at:].lstrip()
            raise InputError(f"--where cannot be read at character {end - len(rest.rstrip())}: {rest[:20]!r}")
        value = match[match.lastgroup]
        start = match.start(match.lastgroup)
        if match.lastgroup in ("text", "quoted"):
            value = value[1:-1].replace(value[0] * 2, value[0])
        yield _Token(match.lastgroup, value, start)
        at = match.end()
    yield _Token("end", "", end)


def _spellings(value: Value) -> tuple[Value, ...]:
    number = number_in(value) if isinstance(value, str) else None
    return (value,) if number is None else (value, number)


def _negated(negative: bool, part: _Part) -> _Part:
    return _Part(f"NOT {part.sql}", part.parameters) if negative else part


def _all(parts: Iterable[tuple[Value, ...]]) -> tuple[Value, ...]:
    return tuple(value for part in parts for value in part)
