from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ko_sentence_transformers.errors import InputError
from ko_sentence_transformers.recipe import Recipe, load_recipe
from ko_sentence_transformers.training.sets import TrainingSet, load_sets
from training_data import sentences


def one(folder: Path, body: str, loss: str = "mnrl") -> TrainingSet:
    file = folder / "recipe.toml"
    file.write_text(f'[train]\nloss = "{loss}"\n[data.sets.one]\n{body}\n', encoding="utf-8")
    recipe: Recipe = load_recipe(file)
    [item] = load_sets(recipe, recipe.runs[0], folder, seed=1)
    return item


def write(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    lines = ["\t".join(map(str, row)) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def test_scores_become_cosines(tmp_path: Path) -> None:
    write(tmp_path / "s.tsv", "sentence1\tsentence2\tscore", [("가", "나", 5), ("다", "라", 1.25)])
    item = one(tmp_path, 'kind = "sts"\nfiles = ["s.tsv"]', "cosine")
    assert item.scores is not None and item.scores.tolist() == [1.0, 0.25] and not item.contrastive


def test_scored_pairs_above_a_score_become_pairs(tmp_path: Path) -> None:
    write(tmp_path / "q.tsv", "sentence1\tsentence2\tscore", [("가", "나", 1), ("다", "라", 0), ("마", "바", 1)])
    item = one(tmp_path, 'kind = "pairs"\nfiles = ["q.tsv"]\nmin_score = 1\nmax_score = 1')
    assert item.columns == {"anchor": ("가", "마"), "positive": ("나", "바")} and item.scores is None


def test_groups_pair_their_members_once(tmp_path: Path) -> None:
    rows = [(group, f"{group}의 문장 {n}") for group in range(3) for n in range(5)]
    write(tmp_path / "g.tsv", "group\tsentence", rows)
    item = one(tmp_path, 'kind = "groups"\nfiles = ["g.tsv"]\nper_group = 4')
    assert len(item) == 3 * 2
    used = list(item.texts())
    assert len(used) == len(set(used))
    assert all(a[0] == b[0] for a, b in zip(item.columns["anchor"], item.columns["positive"], strict=True))


def test_limits_held_out_ends_and_cuts(tmp_path: Path) -> None:
    write(tmp_path / "p.tsv", "query\tdoc", [(f"질문 {n}", f"대답 {n} 입니다") for n in range(50)])
    item = one(
        tmp_path,
        'kind = "pairs"\nfiles = ["p.tsv"]\nlimit = 10\nskip_last = 20\nmax_chars = { positive = 4 }\n'
        'prompts = { anchor = "query: " }',
    )
    assert len(item) == 10 and all(int(text.split()[1]) < 30 for text in item.columns["anchor"])
    assert all(len(text) <= 4 for text in item.columns["positive"]) and item.prompts == {"anchor": "query: "}
    assert item.columns == one(tmp_path, (tmp_path / "recipe.toml").read_text().split("[data.sets.one]\n")[1]).columns
    with pytest.raises(InputError, match="no row is left"):
        one(tmp_path, 'kind = "pairs"\nfiles = ["p.tsv"]\nskip_last = 50')


def test_texts_are_their_own_positives(tmp_path: Path) -> None:
    texts = sentences(6)
    with gzip.open(tmp_path / "t.txt.gz", "wt", encoding="utf-8") as stream:
        stream.write("\n".join([*texts, "", texts[0]]))
    body = 'kind = "texts"\nfiles = ["t.txt.gz"]\nprompts = { text = "query: " }\nmax_chars = { text = 5 }'
    item = one(tmp_path, body)
    assert item.columns["anchor"] == item.columns["positive"] == tuple(text[:5] for text in texts)
    assert item.prompts == {"anchor": "query: ", "positive": "query: "}
    assert item.reports[0].read == 8 and item.reports[0].kept == 6


def test_own_columns_and_bad_rows(tmp_path: Path) -> None:
    rows = [{"물음": "가나", "답": "다라"}, {"물음": "", "답": "마"}, {"물음": "바사", "답": "아자"}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (tmp_path / "p.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    body = 'kind = "pairs"\nfiles = ["p.jsonl"]\ncolumns = { anchor = "물음", positive = "답" }'
    with pytest.raises(InputError, match=r"set 'one': .*p.jsonl:2"):
        one(tmp_path, body)
    item = one(tmp_path, body + '\non_bad_row = "drop"')
    assert item.columns["anchor"] == ("가나", "바사") and item.reports[0].reasons()
