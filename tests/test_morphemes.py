"""Index terms: particles off, compounds whole and in parts, and offsets that point at the text."""

from __future__ import annotations

import importlib.util
import itertools
import time

import pytest

from ko_sentence_transformers.errors import InputError, MissingExtraError
from ko_sentence_transformers.morphemes import (
    NgramAnalyser,
    analyser_version,
    index_terms,
    load_analyser,
    nouns,
    stems,
)

KIWI = pytest.param(
    "kiwi", marks=pytest.mark.skipif(not importlib.util.find_spec("kiwipiepy"), reason="needs kiwipiepy")
)

TEXTS = [
    "",
    "   ",
    "😀 이모지 뒤의 보증금",
    "먹었다\x00예뻤다",
    "ㅋㅋㅋ",
    "勞動法 노동법",
    "가" * 1200,
    "가나 다라. " * 300,
]


def forms(name: str, text: str) -> list[str]:
    return [term.form for term in next(load_analyser(name).terms([text]))]


@pytest.fixture
def kiwi():
    pytest.importorskip("kiwipiepy")
    return load_analyser("kiwi")


@pytest.mark.parametrize("particle", ["이", "을", "은", "에", "의", "으로", "까지", "에서는"])
def test_particles_do_not_hide_a_noun(kiwi, particle):
    assert "보증금" in forms("kiwi", f"보증금{particle}") or "보증" in forms("kiwi", f"보증금{particle}")
    assert set(forms("kiwi", "전세 보증금")) <= set(forms("kiwi", f"전세 보증금{particle} 돌려받다"))


@pytest.mark.parametrize("verb", ["먹었다", "먹는", "먹으면서", "먹어요", "먹겠습니다"])
def test_verb_forms_share_a_stem(kiwi, verb):
    assert "먹" in forms("kiwi", f"밥을 {verb}")


def test_compounds_are_kept_and_split(kiwi):
    terms = forms("kiwi", "해고예고수당을 받다")
    assert {"해고", "예고", "수당", "해고예고수당"} <= set(terms)
    assert {"국민건강보험공단", "건강", "보험"} <= set(forms("kiwi", "국민건강보험공단"))


def test_missing_spaces_change_little(kiwi):
    spaced = set(forms("kiwi", "개인정보 처리방침은 어디에 있나요"))
    assert {"개인", "정보", "처리", "방침"} <= spaced & set(forms("kiwi", "개인정보처리방침은어디에있나요"))


def test_numbers_and_foreign_words(kiwi):
    terms = forms("kiwi", "COVID19 백신 2024년 제26조 test@naver.com")
    assert {"covid", "19", "covid19", "2024년", "제26조", "naver"} <= set(terms)


def test_user_words_stay_whole_and_change_the_version():
    pytest.importorskip("kiwipiepy")
    plain, own = load_analyser("kiwi"), load_analyser("kiwi", words=["말랑도토리톡"])
    assert plain.version != own.version
    assert "말랑도토리톡" in [term.form for term in next(own.terms(["말랑도토리톡을 설치했다"]))]
    assert load_analyser("kiwi", words=["말랑도토리톡"]) is own


@pytest.mark.parametrize("name", [KIWI, "ngram"])
@pytest.mark.parametrize("text", TEXTS)
def test_offsets_point_into_the_text_and_forms_are_single_words(name, text):
    terms = next(load_analyser(name).terms([text]))
    for form, start, end in terms:
        assert 0 <= start < end <= len(text)
        assert form and form.isalnum() and form == form.lower()
    assert terms or not any("가" <= c <= "힣" for c in text)


@pytest.mark.parametrize("name", [KIWI, "ngram"])
def test_streams_are_lazy_and_keep_their_order(name):
    texts = ("보증금 " * (1 if i % 3 else 400) + f"번호 {i}" for i in itertools.count())
    for number, terms in zip(range(40), load_analyser(name).terms(texts), strict=False):
        assert terms[-1].form == str(number)


@pytest.mark.parametrize("name", [KIWI, "ngram"])
def test_a_megabyte_without_spaces_is_no_trap(name):
    started = time.monotonic()
    assert next(load_analyser(name).terms(["가" * 50_000]))
    assert time.monotonic() - started < 20


def test_ngrams_overlap_where_particles_differ():
    analyser = NgramAnalyser()
    first, second = ({t.form for t in terms} for terms in analyser.terms(["보증금은", "보증금을"]))
    assert {"보증", "증금"} <= first & second


def test_nouns_and_stems():
    pytest.importorskip("kiwipiepy")
    assert nouns(["고양이가 밥을 먹었다"]) == [["고양이", "밥"]]
    assert stems(["고양이가 밥을 먹었다"]) == [["고양이", "밥", "먹다"]]
    assert list(NgramAnalyser().nouns(["고양이가 밥을"])) == [["고양이", "밥을"]]


def test_defaults_and_errors(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert analyser_version() == NgramAnalyser.version
    assert index_terms("보증금") == ["보증", "증금"]
    with pytest.raises(InputError, match="mecab"):
        load_analyser("mecab")
    with pytest.raises(InputError, match="dictionary"):
        load_analyser("ngram", words=["가"])


def test_a_missing_extra_names_the_pip_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "kiwipiepy", None)
    with pytest.raises(MissingExtraError, match=r"ko-sentence-transformers\[search\]"):
        load_analyser("kiwi", words=["없는설치"])
