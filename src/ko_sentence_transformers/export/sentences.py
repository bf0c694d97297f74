"""Korean sentences of our own: what 8-bit ranges are measured on, what exports are checked with, what is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

# Written by hand, unlike what the ranges are measured on: long and short, formal and not, numbers, other scripts.
PROBE = (
    "안녕하세요.",
    "네, 알겠습니다!",
    "ㅋㅋㅋ 진짜 웃기다",
    "오늘 점심은 김치찌개로 할까, 아니면 비빔밥으로 할까?",
    "퇴직한 날부터 14일 안에 임금과 퇴직금을 모두 지급해야 합니다.",
    "전세 계약이 끝났는데 집주인이 보증금을 돌려주지 않아요.",
    "한국은행은 기준금리를 연 3.25%로 0.25%포인트 올렸다.",
    "고양이 두 마리가 창가에 앉아 햇볕을 쬐고 있다.",
    "고양이는 창가에 앉아 있지 않다.",
    "Python으로 한국어 문장을 벡터로 바꾸는 방법을 알려 주세요.",
    "서울특별시 강남구에서 부산광역시 해운대구까지는 약 400km이다.",
    "그 영화는 배우들의 연기는 훌륭했지만 이야기가 너무 뻔해서 아쉬웠다.",
    "환불은 받으신 날부터 7일 이내에 신청하셔야 하며, 포장을 뜯은 상품은 제외됩니다.",
    "조선의 네 번째 임금인 세종은 1443년에 훈민정음을 만들었다.",
    "비가 올 것 같으니 우산을 챙겨라.",
    "회의 자료는 내일 오전 9시까지 메일로 보내 드리겠습니다.",
    "한 남자가 무대 위에서 기타를 치며 노래를 부른다.",
    "어떤 여자가 부엌에서 양파를 썰고 있다.",
    "아이들이 운동장에서 축구공을 차며 뛰어논다.",
    "지하철 2호선이 신호 고장으로 30분 동안 멈췄다.",
    "백신을 맞은 뒤 열이 나면 해열제를 먹고 충분히 쉬세요.",
    "이 제품은 2년간 무상으로 수리받을 수 있나요?",
    "양자 컴퓨터는 중첩과 얽힘을 이용해 계산한다.",
    "어제부터 와이파이가 자꾸 끊겨서 일을 못 하겠어요 ㅠㅠ",
    "국회는 본회의를 열어 내년도 예산안을 의결했다.",
    "아버지가 방에 들어가신다.",
    "해당 서비스는 현재 점검 중이므로 잠시 후 다시 시도해 주시기 바랍니다.",
    "봄이 오면 산과 들에 진달래와 개나리가 활짝 핀다.",
    "제주도 여행 3박 4일 일정 추천해 줘",
    "그는 스무 살에 고향을 떠나 마흔이 넘어서야 돌아왔고, 그때 마을은 이미 알아볼 수 없을 만큼 변해 있었다.",
    "AI 스피커가 내 말을 못 알아듣네.",
    "문의하신 내용은 담당 부서에 전달되었으며 영업일 기준 3일 안에 답변을 드리겠습니다.",
)


def _words(line: str) -> list[str]:
    return [word.strip() for word in line.split("," if "," in line else " ")]


_PEOPLE = _words("학생 의사 어머니 친구 기자 손님 선수 공무원 할아버지 개발자 가수 이웃 변호사 아이 농부 사장")
_THINGS = _words("책 자전거 보고서 사진 컴퓨터 계약서 커피 우산 지도 영화표 약 냉장고 편지 전화기 신발 노래 김치 세금")
_PLACES = _words("학교 병원 시장 공원 회사 도서관 부산 은행 역 집 바닷가 경기장 식당 법원 카페 산")
_TIMES = _words(
    "어제, 오늘 아침, 지난주, 내일, 작년 겨울, 오후 세 시에, 주말마다, 2019년에, 방금, 다음 달, 밤늦게, 새해 첫날, 요즘"
)
_FIELDS = _words("경제 교육 환경 문화 과학 복지 교통 체육 농업 관광 주택 에너지 외교")


def josa(word: str, after_consonant: str, after_vowel: str) -> str:
    """Return ``word`` with the particle that fits its last syllable: ``josa("책", "을", "를")`` is ``책을``."""
    closed = (ord(word[-1]) - ord("가")) % 28 != 0
    return word + (after_consonant if closed else after_vowel)


def _subject(word: str) -> str:
    return josa(word, "이", "가")


def _object(word: str) -> str:
    return josa(word, "을", "를")


def _topic(word: str) -> str:
    return josa(word, "은", "는")


# Each makes one sentence of a person, a thing, a place, a time and a field.
_FORMS: tuple[Callable[[str, str, str, str, str], str], ...] = (
    lambda who, what, where, when, field: f"{when} {_subject(who)} {where}에서 {_object(what)} 샀다.",
    lambda who, what, where, when, field: f"{_topic(what)} 어디에서 살 수 있나요?",
    lambda who, what, where, when, field: f"{field} 정책이 {when} 바뀌면서 {where} 주변의 {_subject(who)} 늘었다.",
    lambda who, what, where, when, field: f"{_subject(who)} {_object(what)} 들고 {where} 앞에 서 있다.",
    lambda who, what, where, when, field: f"{where}에 두고 온 {_object(what)} 찾고 싶은데 어떻게 하면 되죠?",
    lambda who, what, where, when, field: f"정부는 {when} {field} 분야에 1조 2천억 원을 투자하겠다고 밝혔다.",
    lambda who, what, where, when, field: f"이 {_topic(what)} 가격에 비해 별로였어요. 다시는 안 살 것 같아요.",
    lambda who, what, where, when, field: f"{_topic(who)} {where}까지 걸어가면서 {_object(what)} 생각했다.",
    lambda who, what, where, when, field: f"{field} 전문가들은 {when} 나온 통계를 그대로 믿기 어렵다고 말한다.",
    lambda who, what, where, when, field: f"혹시 {where}에서 {_object(what)} 빌려주나요?",
    lambda who, what, where, when, field: f"{_object(what)} 잃어버린 {_topic(who)} 결국 경찰서에 신고했다.",
    lambda who, what, where, when, field: f"{where} 근처에 사는 {who}들은 {field} 문제에 관심이 많습니다.",
    lambda who, what, where, when, field: f"{when} 주문한 {_subject(what)} 아직도 안 왔어요.",
    lambda who, what, where, when, field: f"우리 {where}에서는 {_object(what)} 함부로 버리면 안 됩니다.",
    lambda who, what, where, when, field: (
        f"{_subject(who)} {when} 쓴 {field} 관련 글은 많은 사람에게 읽혔고, {where}에서도 오랫동안 이야깃거리가 되었다."
    ),
    lambda who, what, where, when, field: f"{_object(what)} 선물로 받은 {_topic(who)} 무척 기뻐했다.",
    lambda who, what, where, when, field: f"{field} 뉴스 보여 줘",
    lambda who, what, where, when, field: f"{_topic(where)} 월요일부터 금요일까지 오전 10시에 문을 엽니다.",
)


def korean_sentences(count: int) -> list[str]:
    """Return ``count`` different Korean sentences, always the same ones: statements, questions, news, complaints."""
    return list(islice(_sentences(), count))


def _sentences() -> Iterator[str]:
    seen: set[str] = set()
    number = 0
    while True:
        form = _FORMS[number % len(_FORMS)]
        # Steps without a common factor with the lists, so that words meet in ever new pairs.
        turn = number // len(_FORMS)
        sentence = form(
            _PEOPLE[(number * 5 + turn) % len(_PEOPLE)],
            _THINGS[(number * 7 + turn) % len(_THINGS)],
            _PLACES[(number * 3 + turn * 5) % len(_PLACES)],
            _TIMES[(number * 4 + turn * 3) % len(_TIMES)],
            _FIELDS[(number * 2 + turn) % len(_FIELDS)],
        )
        number += 1
        if sentence not in seen:
            seen.add(sentence)
            yield sentence
        elif len(seen) < number // 50:
            raise ValueError(f"there are only {len(seen)} different sentences")
