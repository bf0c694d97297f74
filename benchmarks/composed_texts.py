"""Short Korean texts composed from words, as many as are wanted: what a search index of a million rows is filled with.

A text has a topic of two or three common nouns, often a name that few texts share, a number with its unit and verbs
with their endings, so that analysers, particles, common and rare terms all do their work. Frequencies fall as
those of words do.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_NOUNS = """
계약 회사 보증금 주택 임대 해고 급여 휴가 보험 연금 신청 절차 서류 기간 환불 배송 주문 결제 상품 고객 상담 문의
설치 수리 고장 교환 반품 택배 카드 은행 대출 이자 세금 신고 공제 소득 증명 발급 면허 차량 주차 사고 도로 신호
과태료 벌금 경찰 병원 진료 처방 약국 검사 수술 입원 건강 운동 식단 요리 재료 냉장고 세탁기 에어컨 난방 전기
수도 가스 요금 할인 쿠폰 회원 가입 탈퇴 비밀번호 인증 오류 화면 파일 저장 삭제 복구 백업 서버 인터넷 와이파이
휴대폰 배터리 충전 이어폰 노트북 모니터 키보드 학교 시험 과목 성적 장학금 등록금 졸업 수업 과제 발표 논문
도서관 책 소설 영화 배우 감독 음악 공연 전시 예매 좌석 여행 항공 숙소 예약 취소 여권 비자 환전 공항 기차 버스
지하철 정류장 환승 날씨 비 눈 태풍 미세먼지 강아지 고양이 산책 사료 예방접종 동물 등록 이웃 소음 층간 관리비
아파트 이사 청소 쓰레기 분리수거 정부 정책 국회 법률 개정 시행 예산 지원금 복지 육아 출산 어린이집 유치원 교사
학생 부모 노인 청년 취업 면접 이력서 경력 자격증 교육 훈련 창업 사업자 매출 비용 투자 주식 부동산 가격 시장
경제 물가 수출 기술 연구 개발 인공지능 데이터 보안 개인정보 유출 피해 보상 소송 판결 법원 변호사 증거 합의 분쟁
조정 기관 센터 민원 접수 처리 결과 통지 이의 기한 연장 변경 확인 안내 방법 조건 대상 기준 금액 한도 비율 계산
평균
"""
_VERBS = """
신청합니다 알려 주세요 궁금합니다 처리했다 바뀌었다 필요합니다 받았습니다 보냈어요 찾고 있어요 늦어졌다 줄었다
늘어났다 시작한다 끝났습니다 고쳤다 맡겼어요 돌려받았다 기다립니다 알아보았다 거절당했다 추천합니다 비교했다
사용할 수 없다 작동하지 않는다
"""
_UNITS = """
일 원 개 명 년 개월 시간 퍼센트 킬로미터 그램 호 층 번 회
"""
_FOREIGN = """
API USB AI CCTV PDF QR SNS OTT KTX LED GPS NFC VPN HDMI CPU
"""
_FAMILY = """
김 이 박 최 정 강 조 윤 장 임 한 오 서 신 권 황 안 송 류 홍
"""
_GIVEN = """
가 경 규 근 기 나 다 도 동 라 리 명 미 민 보 상 서 선 성 소 수 숙 순 승 시 아 연 영 예 옥 용 우 원 유 은 인 재
정 종 주 준 지 진 찬 창 채 철 태 하 현 형 혜 호 화 효 훈 희
"""
NOUNS, VERBS, UNITS = _NOUNS.split(), _VERBS.split(), _UNITS.split()
FOREIGN, FAMILY, GIVEN = _FOREIGN.split(), _FAMILY.split(), _GIVEN.split()
PARTICLES = [",", "가이", "를을", "는은", "와과", "의", "에", "에서", "도", "까지", "부터"]


def texts(count: int, *, seed: int = 1) -> Iterator[str]:
    """Yield ``count`` texts of about forty characters, the same each time."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(NOUNS)
    share = 1 / np.arange(3, len(order) + 3)
    for start in range(0, count, 10_000):
        size = min(10_000, count - start)
        nouns = rng.choice(order, (size, 5), p=share / share.sum())
        particles = rng.choice(PARTICLES, (size, 5))
        verbs = rng.choice(VERBS, size)
        dice = rng.random((size, 4))
        numbers = (10 ** (4 * rng.random(size))).astype(int)
        units, foreign = rng.choice(UNITS, size), rng.choice(FOREIGN, size)
        names = np.char.add(np.char.add(rng.choice(FAMILY, size), rng.choice(GIVEN, size)), rng.choice(GIVEN, size))
        for row in range(size):
            words = [_attached(noun, particle) for noun, particle in zip(nouns[row], particles[row], strict=True)]
            if dice[row, 0] < 0.5:
                words[1] = nouns[row, 0] + words[1]  # a compound
            if dice[row, 1] < 0.5:
                words.insert(0, f"{names[row]} 씨의")
            if dice[row, 2] < 0.4:
                words.insert(-1, f"{numbers[row]}{units[row]}")
            if dice[row, 3] < 0.15:
                words.insert(2, str(foreign[row]))
            yield " ".join([*words, str(verbs[row])])


def _attached(noun: str, particle: str) -> str:
    """Return the noun with its particle, of whose two forms the last letter of the noun chooses one."""
    if particle in ("가이", "를을", "는은", "와과"):
        particle = particle[(ord(noun[-1]) - ord("가")) % 28 > 0]
    return noun + particle
