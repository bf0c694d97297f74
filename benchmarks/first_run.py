"""What the README says about the shipped model: quality, agreement with full precision, and speed, in one run.

    KO_ST_SHARED=<folder of Korean data> python benchmarks/first_run.py

Needs the extra `train` (sentence-transformers for the comparison) and scipy.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from ko_sentence_transformers import encode, load_model
from ko_sentence_transformers.model import copy_model
from ko_sentence_transformers.records import read_records

LAWS = Path(__file__).parent.parent / "examples" / "data" / "everyday_laws.jsonl"
EQUAL = "남녀고용평등과 일ㆍ가정 양립 지원에 관한 법률 "
# What people ask, and the articles that answer. Written before the model was measured on them.
QUESTIONS = {
    "퇴직금은 언제까지 줘야 하나요?": ["근로자퇴직급여 보장법 제9조"],
    "최저임금보다 적게 받기로 한 계약은 유효한가요?": ["최저임금법 제6조"],
    "아이를 키우려고 회사를 쉬고 싶은데 육아휴직은 얼마나 쓸 수 있나요?": [EQUAL + "제19조"],
    "가게 임대차 계약은 몇 년까지 갱신해 달라고 할 수 있나요?": ["상가건물 임대차보호법 제10조"],
    "길 잃은 강아지나 버려진 동물을 보면 어디에 알려야 하나요?": ["동물보호법 제39조"],
    "가게에 CCTV를 달아도 되나요?": ["개인정보 보호법 제25조"],
    "내 개인정보를 지워 달라고 요구할 수 있나요?": ["개인정보 보호법 제36조"],
    "국민연금 보험료를 늦게 내면 돈을 더 내야 하나요?": ["국민연금법 제97조"],
    "공무원이 민원 접수를 거부할 수 있나요?": ["민원 처리에 관한 법률 제9조"],
    "직장에서 성희롱을 당했다고 말하면 회사는 무엇을 해야 하나요?": [EQUAL + "제14조"],
}
Encode = Callable[[list[str], str], np.ndarray]


def korsts(shared: Path, split: str) -> tuple[list[str], list[str], list[float]]:
    with (shared / "data" / "eval" / f"korsts_{split}.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [r["sentence1"] for r in rows], [r["sentence2"] for r in rows], [float(r["score"]) for r in rows]


def spearman(run: Encode, pairs: tuple[list[str], list[str], list[float]]) -> float:
    first, second, gold = pairs
    return float(100 * spearmanr((run(first, "") * run(second, "")).sum(axis=1), gold).statistic)


def hits(run: Encode, query: str, document: str) -> dict[str, float]:
    records = list(read_records(LAWS))
    corpus = run([record.passage for record in records], document)
    order = np.argsort(-(run(list(QUESTIONS), query) @ corpus.T), axis=1)
    found = [
        next(rank for rank, i in enumerate(row, 1) if records[i].id in answers)
        for row, answers in zip(order, QUESTIONS.values(), strict=True)
    ]
    return {f"hit@{k}": sum(rank <= k for rank in found) / len(found) for k in (1, 10)}


def paired_speed(ours: Callable[[], object], theirs: Callable[[], object], count: int, rounds: int) -> dict[str, float]:
    def seconds(run: Callable[[], object]) -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    ours(), theirs()  # warm
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return {
        "ours_sentences_per_second": round(count / statistics.median(a for a, _ in pairs)),
        "sentence_transformers_sentences_per_second": round(count / statistics.median(b for _, b in pairs)),
        "ratio_median": round(statistics.median(b / a for a, b in pairs), 2),
        "ratio_min": round(min(b / a for a, b in pairs), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ko-sbert-small")
    parser.add_argument("--base", help="folder of the untuned base; used with its own prompts")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds; 0 leaves speed out")
    arguments = parser.parse_args()
    shared = Path(os.environ["KO_ST_SHARED"])
    from sentence_transformers import SentenceTransformer

    model = load_model(arguments.model)

    def ours(texts: list[str], prompt: str) -> np.ndarray:
        return encode(model, [prompt + text for text in texts])

    report: dict[str, object] = {"model": arguments.model}
    test = korsts(shared, "test")
    sentences = test[0] + test[1]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / arguments.model
        copy_model(arguments.model, copy)
        full = SentenceTransformer(str(copy), device="cpu")
        theirs = full.encode(sentences, batch_size=32, normalize_embeddings=True)
        mine = ours(sentences, "")
        report["mean_cosine_to_full_precision"] = round(float((theirs * mine).sum(axis=1).mean()), 4)
        report["korsts_test_spearman"] = round(spearman(ours, test), 2)
        half = len(test[0])
        report["korsts_test_spearman_full_precision"] = round(
            float(100 * spearmanr((theirs[:half] * theirs[half:]).sum(axis=1), test[2]).statistic), 2
        )
        report["korsts_dev_spearman"] = round(spearman(ours, korsts(shared, "dev")), 2)
        report["everyday_questions"] = hits(ours, model.prompts["query"], model.prompts["document"])
        if arguments.base:
            base = load_model(arguments.base)
            report["everyday_questions_base"] = hits(
                lambda texts, prompt: encode(base, [prompt + text for text in texts]), "query: ", "passage: "
            )
        if arguments.rounds:
            report["speed"] = paired_speed(
                lambda: encode(model, sentences),
                lambda: full.encode(sentences, batch_size=32, normalize_embeddings=True),
                len(sentences),
                arguments.rounds,
            )
    print(json.dumps(report, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
