"""Korean normal forms and sentence ends."""

from __future__ import annotations

import unicodedata

import pytest

from ko_sentence_transformers.errors import InputError
from ko_sentence_transformers.text import normalize, sentences


def test_normalize() -> None:
    assert normalize(unicodedata.normalize("NFD", "한국어")) == "한국어"
    assert normalize("\ufeff 한국어\u200b  문장\n") == "한국어 문장"
    assert normalize("ㅋㅋ ㄱ") == "ㅋㅋ ㄱ"  # compatibility jamo are letters of their own
    with pytest.raises(InputError, match="U\\+DC00 at character 1"):
        normalize("가\udc00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("첫 문장이다. 둘째 문장이다.", ["첫 문장이다.", "둘째 문장이다."]),
        ("정말요? 네! 그래요", ["정말요?", "네!", "그래요"]),
        ("값은 3.14 입니다. 끝", ["값은 3.14 입니다.", "끝"]),
        ("제목\n\n본문이다.", ["제목", "본문이다."]),
        ('그가 말했다. "가자." 우리는 갔다.', ["그가 말했다.", '"가자."', "우리는 갔다."]),
        ("붙여 썼다.이것도 문장이다.", ["붙여 썼다.", "이것도 문장이다."]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in sentences(text)] == expected
