"""Measure the shipped models and write docs/models.md, its picture and each model's scores.json.

    KO_ST_SHARED=<folder of Korean data> python docs/make_models.py            # everything, in one run
    KO_ST_SHARED=<folder of Korean data> python docs/make_models.py --page     # the page again, from the last run

Needs the extras `train` (the library compared with), `plots` and `evaluate`; takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ko_sentence_transformers import load_model
from ko_sentence_transformers.benchmarking import AGAINST, BenchmarkRow, benchmark
from ko_sentence_transformers.evaluation import evaluate
from ko_sentence_transformers.model_folder import read_modules
from ko_sentence_transformers.pareto import plot_pareto
from ko_sentence_transformers.registry import SHIPPED_FOLDER, list_models

PAGE = Path(__file__).parent / "models.md"
SPEEDS = Path(__file__).parent / "models.json"
PICTURE = Path(__file__).parent / "pictures" / "pareto.png"
# key of scores.json -> task, its data, the leading dimensions that are scored too
TASKS = {
    "korsts_test": ("korsts", "korsts_test.tsv", True),
    "korsts_dev": ("korsts", "korsts_dev.tsv", False),
    "klue_sts_dev": ("klue-sts", "klue_sts_dev.tsv", False),
    "question_pair_test": ("pairs", "question_pair_test.tsv", False),
    "stylekqc_dev": ("groups", "stylekqc_dev_groups.tsv", False),
    "tatoeba_ko_en": ("bitext", "tatoeba_koen.tsv", False),
    "ynat_2100": ("topics", "ynat_topics.tsv", False),
    "strategyqa_ko": ("retrieval", "strategyqa_ko", False),
}
DIMS = (384, 256, 128, 64)
# Published figures: KorSTS test, KLUE-STS dev, millions of parameters, MFLOP a token (None: not stated).
PUBLISHED = (
    ("kpf-sbert-v1.1", 87.50, 89.00, 114, 170, "kobongsoo/BERT"),
    ("ko-sroberta-multitask", 85.60, None, 111, 170, "jhgan00/ko-sentence-transformers"),
    ("albert-small-kor-sbert-v1.1", 85.26, 88.33, 11.7, 85, "kobongsoo/BERT"),
    ("distilkobert_sentence_encoder", 83.12, None, 28, 43, "jeongukjae"),
    ("ko-sbert-nli", 82.36, None, 111, 170, "model card"),
    ("KURE-v1", 81.25, 87.74, 568, None, "MTEB results"),
    ("bekko-embedding-v1-a8m", 77.74, 80.57, 106, None, "MTEB results"),
    ("kor-static-embedding-512", 77.18, 70.33, 16.4, 0, "model card"),
    ("multilingual-e5-small", 77.07, 75.76, 118, 43, "MTEB results"),
    ("potion-multilingual-128M", 65.88, 64.45, 128, 0, "MTEB results"),
)


def measure(name: str, data: Path) -> None:
    """Score a shipped model on every task and write its scores.json."""
    model = load_model(name)
    scores = {}
    for key, (task, place, with_dims) in TASKS.items():
        dims = [dim for dim in (model.dim, *DIMS) if dim <= model.dim] if with_dims else []
        scores[key] = rounded(evaluate(model, task, data / place, dims=dims)[task].as_dict())
        print(name, key, scores[key], flush=True)
    text = json.dumps(scores, indent=2, ensure_ascii=False) + "\n"
    (SHIPPED_FOLDER / name / "scores.json").write_text(text, encoding="utf-8")


def rounded(value: Any) -> Any:
    """Return a document with its figures to four places."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def mflop_per_token(name: str) -> float:
    """Return the multiplications and additions of the linear layers for one token, in millions."""
    kind, folder = read_modules(SHIPPED_FOLDER / name)[0]
    if kind == "StaticEmbedding":
        return 0.0
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width, inner = config["hidden_size"], config["intermediate_size"]
    return 2 * config["num_hidden_layers"] * (4 * width**2 + 2 * width * inner) / 1e6


def quality(names: list[str], scores: Mapping[str, Any]) -> list[str]:
    """Return the table of quality."""
    lines = [
        "| model | KorSTS test | 95 % interval | KorSTS dev | KLUE-STS dev | search | topics | groups "
        "| questions | ko-en |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        s = scores[name]
        low, high = s["korsts_test"]["cosine_spearman_interval"]
        lines.append(
            f"| `{name}` | **{s['korsts_test']['cosine_spearman']:.2f}** | {low:.2f} to {high:.2f} "
            f"| {s['korsts_dev']['cosine_spearman']:.2f} | {s['klue_sts_dev']['cosine_spearman']:.2f} "
            f"| {s['strategyqa_ko']['ndcg_at_10']:.2f} | {s['ynat_2100']['v_measure']:.2f} "
            f"| {s['stylekqc_dev']['r_precision']:.2f} | {s['question_pair_test']['average_precision']:.2f} "
            f"| {s['tatoeba_ko_en']['accuracy']:.2f} |"
        )
    return lines


def dimensions(names: list[str], scores: Mapping[str, Any]) -> list[str]:
    """Return the table of KorSTS test by leading dimensions."""
    widths = sorted({int(d) for name in names for d in scores[name]["korsts_test"]["dims"]}, reverse=True)
    lines = ["| model | " + " | ".join(map(str, widths)) + " |", "|---|" + "---|" * len(widths)]
    for name in names:
        by = scores[name]["korsts_test"]["dims"]
        cells = [f"{by[str(width)]['cosine_spearman']:.2f}" if str(width) in by else "" for width in widths]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return lines


def speed(rows: list[BenchmarkRow]) -> list[str]:
    """Return the table of size and speed."""
    sizes = {meta.name: meta.size_mb for meta in list_models() if meta.source == "shipped"}
    lines = [
        "| model | run by | MB on disk | MFLOP a token | sentences/s | times (same weights) | times (small's weights) "
        "| ms, one text | times | MB of memory |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = row.engine not in AGAINST
        size = f"{sizes[row.model]:.1f}" if ours else ""
        lines.append(
            f"| `{row.model}` | {row.engine} | {size} | {mflop_per_token(row.model):.1f} "
            f"| {row.sentences_per_second:,.0f} | {row.ratio or 0:.2f} | {row.ratio_to_first or 0:.1f} "
            f"| {row.latency_ms_p50:.2f} | {row.latency_ratio or 0:.2f} | {row.memory_mb or 0:.0f} |"
        )
    return lines


def published() -> list[str]:
    """Return the table of published figures."""
    lines = [
        "| model | KorSTS test | KLUE-STS dev | parameters | MFLOP a token | stated by |",
        "|---|---|---|---|---|---|",
    ]
    for name, korsts, klue, size, flops, source in PUBLISHED:
        shown = "" if klue is None else f"{klue:.2f}"
        lines.append(f"| {name} | {korsts:.2f} | {shown} | {size}M | {'' if flops is None else flops} | {source} |")
    return lines


def results(name: str) -> str:
    """Return the section of a model card with the figures of scores.json."""
    scores = json.loads((SHIPPED_FOLDER / name / "scores.json").read_text(encoding="utf-8"))
    test = scores["korsts_test"]
    low, high = test["cosine_spearman_interval"]
    lines = [
        "## Evaluation results",
        "",
        f"KorSTS test ({test['n']:,} pairs), the 8-bit model, "
        f"`ko-st evaluate {name} --task korsts --data korsts_test.tsv`:",
        "",
    ]
    for distance in ("cosine", "euclidean", "manhattan", "dot"):
        for figure in ("pearson", "spearman"):
            value = f"{test[f'{distance}_{figure}']:.2f}"
            more = f" (95 % interval {low:.2f} to {high:.2f})" if (distance, figure) == ("cosine", "spearman") else ""
            lines.append(f"- {distance.capitalize()} {figure.capitalize()}: {value}{more}")
    by = ", ".join(f"{dim}: {value['cosine_spearman']:.2f}" for dim, value in test["dims"].items())
    lines += [
        "",
        f"By leading dimensions: {by}. KorSTS dev (on which the model was chosen) "
        f"{scores['korsts_dev']['cosine_spearman']:.2f};",
        f"KLUE-STS dev {scores['klue_sts_dev']['cosine_spearman']:.2f}. More in `scores.json`.",
        "",
        "",
    ]
    return "\n".join(lines)


def update_card(name: str) -> None:
    """Put the figures of scores.json into a model's card."""
    path = SHIPPED_FOLDER / name / "README.md"
    card = path.read_text(encoding="utf-8")
    start = card.index("## Evaluation results")
    end = card.index("\n## ", start) + 1
    path.write_text(card[:start] + results(name) + card[end:], encoding="utf-8")


def page(names: list[str], rows: list[BenchmarkRow], machine: str) -> str:
    """Return docs/models.md."""
    scores = {n: json.loads((SHIPPED_FOLDER / n / "scores.json").read_text(encoding="utf-8")) for n in names}
    parts = [
        "# The shipped models",
        "",
        "Made by `KO_ST_SHARED=... python docs/make_models.py`, which measures all of it; figures are times 100. How",
        "each model was trained is in its card (`README.md` of its folder) and its recipe (`ko-st recipes show NAME`).",
        "",
        "![Quality over speed](pictures/pareto.png)",
        "",
        "## Quality",
        "",
        "8-bit models as they ship. KorSTS (1,379 test pairs, reported once; dev is what a model was chosen on) and",
        "KLUE-STS: Spearman of the cosine; search: nDCG@10 of Ko-StrategyQA with the search prompts; topics: V-measure",
        "of k-means over 2,100 YNAT titles; groups: R-precision of StyleKQC paraphrases; questions: average precision",
        "of question pairs; ko-en: accuracy on Tatoeba.",
        "",
        *quality(names, scores),
        "",
        "KorSTS test with the leading dimensions only (`truncate_dim`):",
        "",
        *dimensions(names, scores),
        "",
        "## Size and speed",
        "",
        f"One run of `benchmark` on {machine}, the 512 built-in sentences, five rounds in turn; *times* is against",
        "sentence-transformers (torch, float32, batches of 32) with the same weights, and with the first model's.",
        "",
        *speed(rows),
        "",
        "## Beside published models",
        "",
        "As their authors or MTEB state them; not measured here. MFLOP a token says what a sentence costs, where",
        "parameters alone mislead (vocabularies, shared layers).",
        "",
        *published(),
        "",
    ]
    return "\n".join(parts)


def main() -> None:
    """Measure, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="write the page from the figures of the last run")
    only = parser.parse_args().page
    names = [meta.name for meta in list_models() if meta.source == "shipped"]
    if not only:
        for name in names:
            measure(name, Path(os.environ["KO_ST_SHARED"]) / "data" / "eval")
        timed = [row.as_dict() for row in benchmark(names, rounds=5)]
        run = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "rows": timed}
        SPEEDS.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    run = json.loads(SPEEDS.read_text(encoding="utf-8"))
    rows = [BenchmarkRow(**row) for row in run["rows"]]
    for name in names:
        update_card(name)
    plot_pareto(rows, PICTURE)
    PAGE.write_text(page(names, rows, run["machine"]), encoding="utf-8")


if __name__ == "__main__":
    main()
