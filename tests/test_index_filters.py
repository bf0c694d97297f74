"""Filters against plain Python on the same rows; nothing a user writes becomes SQL."""

from __future__ import annotations

import random
import sqlite3

import numpy as np
import pytest

from ko_sentence_transformers.errors import InputError
from ko_sentence_transformers.index import filters
from ko_sentence_transformers.index.fields import as_json, fields
from ko_sentence_transformers.index.store import Chunk, Document, Store

ROWS = [
    {"year": 2024, "category": "정책", "open": True, "tags": ["법", "노동"], "who": {"name": "김철수"}},
    {"year": 2023, "category": "정책", "open": False, "tags": ["주택"]},
    {"year": "2025", "category": "생활", "note": "it's 100% 'quoted'"},
    {"year": 2020.5, "category": "생활", "공공 기관": "서울시"},
    {"category": None, "tags": []},
    {"year": -3, "category": "x_y", "note": "100 percent"},
]


@pytest.fixture
def store(tmp_path):
    store = Store.create(tmp_path / "index", {"dim": 2, "ann": None})
    with store.writing():
        for number, row in enumerate(ROWS):
            chunk = Chunk(0, 1, np.zeros(2, np.float32), "")
            store.insert(Document(f"r{number}", b"", "가", row, [chunk]))
    yield store
    store.close()


def passing(store: Store, where: str) -> set[int]:
    """Rows that pass, which must be the same by both forms of the SQL."""
    parsed = filters.parse(where)
    both = [
        {
            int(row[0][1:])
            for row in store.connection.execute(f"SELECT d.id FROM document d WHERE {sql}", parsed.parameters)
        }
        for sql in (parsed.select, parsed.check)
    ]
    assert both[0] == both[1]
    return both[0]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("year >= 2024", {0, 2}),
        ("year = 2024", {0}),
        ("year = '2025'", {2}),
        ("year < 2021", {3, 5}),
        ("year between 2020 and 2023", {1, 3}),
        ("year not between 2020 and 2023", {0, 2, 4, 5}),
        ("year in (2023, '2025')", {1, 2}),
        ("category = '정책'", {0, 1}),
        ("category != '정책'", {2, 3, 5}),
        ("category <> '정책' and year > 0", {2, 3}),
        ("year >= 2024 and category = '정책'", {0}),
        ("year >= 2024 or category = 'x_y'", {0, 2, 5}),
        ("year = 2024 or year = 2023 and category = '생활'", {0}),
        ("(year = 2024 or year = 2023) and category = '정책'", {0, 1}),
        ("not category = '정책'", {2, 3, 4, 5}),
        ("NOT (year >= 2024 OR category = '생활')", {1, 4, 5}),
        ("open = true", {0}),
        ("open = false", {1}),
        ("tags = '노동'", {0}),
        ("tags in ('노동', '주택')", {0, 1}),
        ("tags is null", {2, 3, 4, 5}),
        ("year is not null", {0, 1, 2, 3, 5}),
        ("who.name like '김%'", {0}),
        ("category like 'x_y'", {5}),
        (r"category like 'x\_%'", {5}),
        (r"note like '%100\%%'", {2}),
        ("note not like '%100%'", {0, 1, 3, 4}),
        ("note = 'it''s 100% ''quoted'''", {2}),
        ("\"공공 기관\" = '서울시'", {3}),
        ("id = 'r1'", {1}),
        ("id in ('r1', 'r4') and not year = 2023", {4}),
        ("id like 'r%' and year <= -3", {5}),
        ("id is null", set()),
        ("category >= '생' and category < '솨'", {2, 3}),
    ],
)
def test_conditions(store, where, expected):
    assert passing(store, where) == expected


def test_random_conditions_agree_with_python(store):
    rng = random.Random(3)
    values = [list(fields(row)) for row in ROWS]

    def leaf() -> tuple[str, set[int]]:
        bound = rng.choice([-5, 0, 2020, 2023, 2024, 2025])
        if rng.random() < 0.5:
            return f"year > {bound}", {
                i
                for i, v in enumerate(values)
                if any(n == "year" and not isinstance(x, str) and x > bound for n, x in v)
            }
        word = rng.choice(["정책", "생활", "없음"])
        return f"category = '{word}'", {i for i, v in enumerate(values) if ("category", word) in v}

    def tree(depth: int) -> tuple[str, set[int]]:
        if depth == 0 or rng.random() < 0.2:
            return leaf()
        left, one = tree(depth - 1)
        right, two = tree(depth - 1)
        kind = rng.choice(["and", "or", "not"])
        if kind == "not":
            return f"not ({left})", set(range(len(ROWS))) - one
        return f"({left}) {kind} ({right})", one & two if kind == "and" else one | two

    for _ in range(200):
        where, expected = tree(4)
        assert passing(store, where) == expected, where


@pytest.mark.parametrize(
    "where",
    [
        "",
        "   ",
        "year",
        "year >",
        "year = ",
        "= 2024",
        "year = 2024 and",
        "year = 2024 2025",
        "(year = 2024",
        "year = 2024)",
        "year in ()",
        "year in (1",
        "year like 3",
        "year between 1 and",
        "year between 1 and 'a'",
        "year is 3",
        "category = '열린",
        "year = 2024; drop table document",
        "1 = 1",
        "year = 2024 -- comment",
        "and = 1",
        "year = 12abc",
        "a" * 10 + " = '" + "가" * 300 + "'",
        "(" * 500 + "year = 1" + ")" * 500,
        "not " * 5000 + "year = 1",
        " and ".join(["year = 1"] * 5000),
        "year in (" + ",".join(["1"] * 20_000) + ")",
    ],
)
def test_what_cannot_be_read_is_one_line(where):
    with pytest.raises(InputError) as error:
        filters.parse(where)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    "attack",
    [
        "category = ''' OR 1=1 --'",
        "category = '''; DROP TABLE document; --'",
        '"category"" = 1; DROP TABLE document; --" = \'a\'',
        "\"x') OR 1=1 --\" = 'a'",
        "category like '%''; DELETE FROM document; --'",
        "id = ''' UNION SELECT text FROM document --'",
    ],
)
def test_injection_finds_nothing_and_harms_nothing(store, attack):
    assert passing(store, attack) == set()
    assert store.count("document") == len(ROWS)


def test_metadata_that_json_has_no_word_for():
    assert as_json({"a": float("nan"), "b": [1, {"c": b"x"}]}) == '{"a": null, "b": [1, {"c": "b\'x\'"}]}'
    assert list(fields({"long": "가" * 1000, "n": "007", "no": "010-1234"})) == [
        ("n", "007"),
        ("n", 7.0),
        ("no", "010-1234"),
    ]


def test_only_the_sql_of_this_package_is_run(store):
    """No token of a condition shows up in the SQL."""
    parsed = filters.parse("secretfield = 'secretvalue' and other in ('v1', 'v2')")
    assert not any(word in parsed.select + parsed.check for word in ("secret", "other", "v1"))
    assert sqlite3.complete_statement(f"SELECT 1 FROM document d WHERE {parsed.select};")
