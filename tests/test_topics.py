"""Names, representatives, hierarchy, dates and the folder that keeps them."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Sequence
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from fake_encoder import FakeEncoder
from ko_sentence_transformers.clustering import Settings
from ko_sentence_transformers.errors import InputError, OutputError
from ko_sentence_transformers.topics import (
    Texts,
    TopicFolder,
    count_terms,
    describe,
    embed,
    make_topics,
    name_topics,
    parse_date,
    timeline,
)
from ko_sentence_transformers.topics.words import is_verb, topic_name

for module in ("umap", "kiwipiepy", "matplotlib"):
    pytest.importorskip(module)

PLACES = ["서울", "부산", "대구", "광주", "제주", "인천", "수원", "강릉", "여수", "전주"]
KINDS = {
    "김치": ["{}에서 먹은 김치찌개가 매웠다", "{} 시장의 배추김치를 샀다", "{} 식당은 김치전이 맛있다"],
    "지하철": ["{} 지하철이 출근길에 멈췄다", "{} 지하철 요금이 올랐다", "{}의 지하철 노선을 늘린다"],
    "축구": ["{} 축구 팀이 결승에 올랐다", "{}에서 축구 경기가 열렸다", "{} 축구 선수가 골을 넣었다"],
}


def corpus() -> tuple[list[str], list[int]]:
    texts = [pattern.format(place) for kind in KINDS.values() for pattern in kind for place in PLACES]
    return texts, [at for at, kind in enumerate(KINDS.values()) for _ in range(len(kind) * len(PLACES))]


def vectors(texts: Sequence[str]) -> np.ndarray:
    """Return vectors of the character pairs of each text, drawn towards its theme."""
    own = embed(FakeEncoder(), texts)
    themes = np.array([[kind in text for kind in KINDS] for text in texts], dtype=np.float32)
    rows = np.concatenate([own, 4 * themes], axis=1)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def read_table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))


@pytest.fixture(scope="module")
def made() -> TopicFolder:
    """Three topics of thirty texts, one blank text, dates in two months."""
    texts, _ = corpus()
    texts.append("  ")
    days = [date(2024, 1 + at % 2, 1 + at % 28) for at in range(len(texts))]
    rows = Texts(tuple(f"글{at}" for at in range(len(texts))), tuple(texts), tuple(days))
    about = {"model": "fake"}
    return make_topics(rows, vectors(texts), settings=Settings(k=3), title="시험", about=about)


def test_names_are_nouns_without_particles() -> None:
    texts, labels = corpus()
    terms = count_terms(texts, np.array(labels), 3)
    words = terms.words([30, 30, 30])
    assert ["김치" in " ".join(words[0]), words[1][0], words[2][0]] == [True, "지하철", "축구"]
    for own in words:
        assert not any(word.endswith(("에서", "이", "를")) for word in own)
        assert not set(PLACES[:2]) & set(own[:1]), "what every topic has names none"


def test_term_counts_are_those_of_a_plain_count() -> None:
    terms = count_terms(["사과 사과 배", "사과", "자동차"], np.array([0, 0, 1]), 2)
    counted = [{terms.vocabulary[c]: n for c, n in row.items()} for row in terms.dense_rows()]
    assert counted == [{"사과": 2, "배": 1}, {"자동차": 1}] or counted == [{"사과": 2}, {"자동차": 1}]
    merged = terms.merged([0, 0]).dense_rows()
    assert merged[0] == {c: n for row in terms.dense_rows() for c, n in row.items()}


def test_stop_words_and_numbers_name_nothing() -> None:
    terms = count_terms(["이것은 2024 저것 100 매미"], np.array([0]), 1, stop_words=["매미"])
    assert terms.words([1]) == [()]


def test_topic_name_prefers_nouns() -> None:
    assert topic_name(["먹다", "김치", "배추"], "topic 0") == "김치 · 배추 · 먹다"
    assert topic_name([], "topic 7") == "topic 7"
    assert is_verb("맛있다") and not is_verb("바다가") and not is_verb("다")


def test_embeddings_do_not_depend_on_order_or_repeats() -> None:
    texts, _ = corpus()
    encoder = FakeEncoder()
    once = embed(encoder, [*texts, texts[0], ""])
    assert encoder.embedded == len(texts)
    np.testing.assert_array_equal(once[0], once[-2])
    assert not once[-1].any()
    np.testing.assert_array_equal(embed(FakeEncoder(), texts[::-1]), once[:-2][::-1])


def test_representatives_are_near_the_centre_and_different(made) -> None:
    embeddings = vectors(made.texts)
    topics = describe(made.texts, embeddings, made.clusters, made.terms, representatives=3)
    for topic in topics:
        rows = [made.texts.index(text) for text in topic.representatives]
        assert len(set(rows)) == 3
        assert (made.labels[rows] == topic.topic).all()
        members = made.clusters.members(topic.topic)
        nearness = embeddings[members] @ made.clusters.centres[topic.topic]
        assert embeddings[rows[0]] @ made.clusters.centres[topic.topic] == pytest.approx(nearness.max(), abs=1e-6)


def test_order_of_the_rows_changes_nothing(made) -> None:
    order = np.random.default_rng(0).permutation(len(made.texts))
    texts = tuple(made.texts[at] for at in order)
    rows = Texts(tuple(made.ids[at] for at in order), texts, tuple(made.dates[at] for at in order))
    again = make_topics(rows, vectors(texts), settings=Settings(k=3), title="시험")
    assert again.topics == made.topics
    np.testing.assert_array_equal(again.labels, made.labels[order])
    np.testing.assert_array_equal(again.xy, made.xy[order])


def test_folder_holds_everything_and_comes_back(made, tmp_path) -> None:
    folder = tmp_path / "주제"
    made.save(folder)
    rows = [json.loads(line) for line in (folder / "assignments.jsonl").read_text("utf-8").splitlines()]
    assert rows == [{"id": i, "topic": t} for i, t in zip(made.ids, made.labels.tolist(), strict=True)]
    assert rows[-1]["topic"] == -1
    topics = json.loads((folder / "topics.json").read_text("utf-8"))
    assert [set(topic) for topic in topics] == [{"topic", "size", "name", "words", "representatives"}] * 3
    assert [topic["size"] for topic in topics] == np.bincount(made.labels[made.labels >= 0]).tolist()
    table = read_table(folder / "topics.csv")
    assert [row["name"] for row in table] == [topic["name"] for topic in topics]
    periods = read_table(folder / "timeline.csv")
    assert sum(int(row["size"]) for row in periods) == len(made.texts)
    branches = json.loads((folder / "hierarchy.json").read_text("utf-8"))
    assert sorted(t["topic"] for b in branches for t in b["topics"]) == [0, 1, 2]
    assert (folder / "map.png").read_bytes().startswith(b"\x89PNG")
    back = TopicFolder.open(folder)
    assert (back.topics, back.ids, back.texts, back.dates) == (made.topics, made.ids, made.texts, made.dates)
    assert back.about == made.about and back.clusters.settings == made.clusters.settings
    np.testing.assert_array_equal(back.clusters.centres, made.clusters.centres)


def test_new_texts_go_to_their_topic(made) -> None:
    labels, scores = made.assign(vectors(["울산 지하철 요금이 올랐다", "속초 축구 팀이 결승에 올랐다", ""]))
    of = {kind: made.labels[at * 30] for at, kind in enumerate(KINDS)}
    assert labels.tolist() == [of["지하철"], of["축구"], -1]
    assert scores[0] > 0.5 and scores[2] == 0


def test_rename_and_merge_are_kept(made, tmp_path) -> None:
    made.renamed(1, " 새  이름 ").save(tmp_path / "a")
    back = TopicFolder.open(tmp_path / "a")
    assert [topic.name for topic in back.topics][1] == "새 이름"
    assert [topic.size for topic in back.topics] == [30, 30, 30]
    merged = back.merged([0, 2])
    assert [topic.topic for topic in merged.topics] == [0, 1]
    assert merged.topics[0].size == 60 and merged.topics[1].name == "새 이름"
    assert np.bincount(merged.labels[merged.labels >= 0]).tolist() == [60, 30]
    merged.save(tmp_path / "a", over=True)
    again = TopicFolder.open(tmp_path / "a")
    assert again.topics == merged.topics
    assert again.assign(vectors([made.texts[0]]))[0][0] in (0, 1)
    assert back.merged([1, 0], "하나로").topics[0].name == "하나로"


@pytest.mark.parametrize("numbers", [[1], [1, 1], [0, 9], []])
def test_merge_needs_two_topics_that_are_there(made, numbers) -> None:
    with pytest.raises(InputError, match=r"two topics|no topic 9"):
        made.merged(numbers)


def test_a_folder_of_other_things_is_left_alone(made, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("내 것")
    with pytest.raises(OutputError, match="no folder of topics"):
        made.save(tmp_path, over=True)
    assert (tmp_path / "mine.txt").read_text() == "내 것"
    with pytest.raises(InputError, match="no folder of topics"):
        TopicFolder.open(tmp_path)


def test_a_damaged_folder_says_so(made, tmp_path) -> None:
    made.save(tmp_path / "a")
    (tmp_path / "a" / "state.npz").write_bytes(b"broken")
    with pytest.raises(InputError, match="damaged"):
        TopicFolder.open(tmp_path / "a")


def test_saving_twice_needs_leave(made, tmp_path) -> None:
    made.save(tmp_path / "a")
    with pytest.raises(OutputError, match="already exists"):
        made.save(tmp_path / "a")
    made.save(tmp_path / "a", over=True)


@pytest.mark.parametrize(
    "text",
    ["2024-05-01", "2024.5.1", "2024.05.01.", "2024/05/01", "20240501", "2024년 5월 1일", "2024-05-01T09:30:00",
     "2024-05-01 09:30", "2024-05", "2024년 5월", "2024. 5. 1."],
)  # fmt: skip
def test_dates_as_people_write_them(text) -> None:
    assert parse_date(text) == date(2024, 5, 1)


def test_year_alone_and_no_date() -> None:
    assert parse_date(2024) == date(2024, 1, 1)
    assert type(parse_date(datetime(2024, 5, 1, 9, 30))) is date
    assert parse_date(" ") is None and parse_date(None) is None


@pytest.mark.parametrize("text", ["언제", "2024-13-01", "2024-02-30", "5월 1일", "12", "2024-05-01x"])
def test_what_is_no_date(text) -> None:
    with pytest.raises(InputError, match="is no date"):
        parse_date(text)


def test_periods_grow_with_the_span() -> None:
    labels = np.array([0, 0, 1])
    days = timeline([date(2024, 1, 1), date(2024, 1, 1), None], labels)
    assert days == [{"period": "2024-01-01", "topic": 0, "size": 2}]
    assert timeline([date(2024, 1, 1), date(2024, 8, 1), None], labels)[0]["period"] == "2024-01"
    assert timeline([date(2014, 1, 1), date(2024, 8, 1), None], labels)[0]["period"] == "2014"
    assert timeline([None, None, None], labels) == []


def test_texts_ids_and_embeddings_must_fit() -> None:
    with pytest.raises(InputError, match="2 texts, 1 ids"):
        Texts(("a",), ("가", "나"), (None, None))
    with pytest.raises(InputError, match="1 texts, but 2 embeddings"):
        make_topics(Texts(("a",), ("가",), (None,)), np.eye(2))


def test_one_text_is_one_topic(tmp_path) -> None:
    made = make_topics(Texts(("a",), ("단풍이 곱다",), (None,)), vectors(["단풍이 곱다"]))
    assert [topic.size for topic in made.topics] == [1]
    made.save(tmp_path / "하나")
    assert (tmp_path / "하나" / "map.html").exists()


@pytest.fixture
def endpoint():
    """A stand-in for an OpenAI-compatible server; keeps what it was asked."""
    asked: list[tuple[str, dict, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body, self.headers.get("Authorization")))
            status = 404 if body["model"] == "none" else 200
            answer = json.dumps({"choices": [{"message": {"content": '"매운 김치"\n설명'}}]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_names_from_an_endpoint(made, endpoint, monkeypatch) -> None:
    address, asked = endpoint
    monkeypatch.setenv("KO_ST_API_KEY", "열쇠".encode().hex())
    named = name_topics(made.topics[:1], endpoint=address + "/", model="m")
    assert named[0].name == "매운 김치" and named[0].words == made.topics[0].words
    path, body, key = asked[0]
    assert path == "/v1/chat/completions" and body["model"] == "m" and key.startswith("Bearer ")
    assert made.topics[0].words[0] in body["messages"][0]["content"]
    with pytest.raises(InputError, match="404"):
        name_topics(made.topics[:1], endpoint=address, model="none")
    with pytest.raises(InputError, match="no http address"):
        name_topics(made.topics, endpoint="file:///etc", model="m")
