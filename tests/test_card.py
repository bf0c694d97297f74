from __future__ import annotations

import json
import re

import pytest

from ko_sentence_transformers.card import model_card
from ko_sentence_transformers.data import RowReport
from ko_sentence_transformers.recipe import DataSet, load_recipe
from ko_sentence_transformers.run_report import METRICS, RunReport, SetReport, StageReport
from ko_sentence_transformers.training.sets import TrainingSet
from ko_sentence_transformers.training.stage import schedule
from training_data import sentences

pytest.importorskip("torch")

# The parameter part and the table of the published card, as it is.
PUBLISHED = """
- Cosine Pearson: 82.03
- Cosine Spearman: 82.36
- Euclidean Pearson: 80.06
- Euclidean Spearman: 79.85
- Manhattan Pearson: 80.08
- Manhattan Spearman: 79.91
- Dot Pearson: 75.76
- Dot Spearman: 74.72

**DataLoader**:

`sentence_transformers.datasets.NoDuplicatesDataLoader.NoDuplicatesDataLoader` of length 8886 with parameters:
```
{'batch_size': 64}
```

**Loss**:

`sentence_transformers.losses.MultipleNegativesRankingLoss.MultipleNegativesRankingLoss` with parameters:
```
{'scale': 20.0, 'similarity_fct': 'cos_sim'}
```

Parameters of the fit()-Method:
```
{
    "epochs": 1,
    "evaluation_steps": 888,
    "evaluator": "sentence_transformers.evaluation.EmbeddingSimilarityEvaluator.EmbeddingSimilarityEvaluator",
    "max_grad_norm": 1,
    "optimizer_class": "",
    "optimizer_params": {
        "lr": 2e-05
    },
    "scheduler": "WarmupLinear",
    "steps_per_epoch": null,
    "warmup_steps": 889,
    "weight_decay": 0.01
}
```

SentenceTransformer(
  (0): Transformer({'max_seq_length': 75, 'do_lower_case': False}) with Transformer model: BertModel
"""


def facts(card: str) -> dict[str, object]:
    """Read the numbers of a card: its loader, its loss, its fit() block, its table's rows."""
    found = re.search(r"of length (\d+) with parameters:\s*```\s*(\{.*?\})\s*```", card, re.S)
    loss = re.search(r"losses\.(?:\w+\.)?(\w+)` with parameters:\s*```\s*(\{.*?\})\s*```", card, re.S)
    fit = re.search(r"fit\(\)-Method:\s*```\s*(\{.*?\})\s*```", card, re.S)
    model = re.search(r"Transformer\((\{.*?\})\) with Transformer model: (\w+)", card)
    assert found and loss and fit and model
    block = json.loads(fit[1])
    block.pop("optimizer_class")  # the published card leaves it empty
    return {
        "length": int(found[1]),
        "loader": found[2],
        "loss": (loss[1], loss[2]),
        "fit": block,
        "model": (model[1], model[2]),
        "table": re.findall(r"^- ((?:Cosine|Euclidean|Manhattan|Dot) \w+): \d", card, re.M)[-8:],
    }


def report_of(rows: int) -> RunReport:
    recipe = load_recipe("ko-sbert-nli")
    item = TrainingSet("nli", DataSet(), "mnrl", recipe.train.batch_size, {"anchor": ("가",) * rows}, None, ())
    plan = schedule([item], recipe.train, seed=recipe.train.seed)
    sets = (SetReport("nli", rows, "mnrl", item.batch_size),)
    stage = StageReport(
        777, "train", plan.steps, plan.per_epoch, plan.warmup, plan.evaluation, plan.steps, 81.0, 60.0, sets
    )
    scores = {"n": 1379.0, **dict.fromkeys(METRICS, 80.0)}
    file = RowReport("somewhere/KorSTS/sts-test.tsv", "ab" * 32, 1379, 1379)
    return RunReport({"test": scores}, {"test": scores}, (stage,), (file,), "fp32", "cpu", 1)


ARCHITECTURE = """SentenceTransformer(
  (0): Transformer({'max_seq_length': 75, 'do_lower_case': False}) with Transformer model: BertModel
  (1): Pooling({'word_embedding_dimension': 768, 'pooling_mode_mean_tokens': True})
)"""


def test_a_run_on_the_published_rows_gives_the_published_card() -> None:
    recipe = load_recipe("ko-sbert-nli")
    card = model_card(recipe, report_of(568_704), name="ko-sbert-nli", architecture=ARCHITECTURE)
    assert facts(card) == facts(PUBLISHED)


def test_card_says_what_a_reader_needs() -> None:
    card = model_card(
        load_recipe("ko-sbert-nli", ["model.base=/home/someone/models/my-bert"]),
        report_of(6400),
        name="mine",
        architecture=ARCHITECTURE,
    )
    front, body = card.split("---\n", 2)[1:]
    assert "language:\n- ko" in front and "- loss:MultipleNegativesRankingLoss" in front
    assert 'base_model: "my-bert"' in front and "/home/someone" not in card
    for heading in (
        "Usage",
        "Evaluation Results",
        "Training",
        "Full Model Architecture",
        "Data and licences",
        "Citing",
    ):
        assert f"## {heading}" in body
    assert "768 dimensional" in body and "CC BY-SA 4.0" in body and "Cosine Pearson: 80.00 (80.00)" in body
    assert "of length 100 with" in body


def test_stages_average_and_matryoshka_are_on_the_card() -> None:
    recipe = load_recipe("ko-sbert-small")
    one = report_of(6400)
    sets = tuple(SetReport(name, 64, recipe.loss_of(name, recipe.train), 64) for name in recipe.data.sets)
    stages = tuple(
        StageReport(1, stage.name, 10, 10, 1, 1, 5, None, 1.0, sets if stage.name == "mixed" else sets[-1:])
        for stage in recipe.runs
    )
    card = model_card(
        recipe,
        RunReport(one.before, one.after, stages, one.data, "bf16", "cpu", 1),
        name="small",
        architecture=ARCHITECTURE,
    )
    assert "### Stage 'mixed', seed 1" in card and "### Stage 'scores', seed 1" in card
    assert "'matryoshka_dims': [384, 256, 128, 64]" in card and "CoSENTLoss" in card
    share = recipe.soup.share
    assert f"{share:g} of the mean of 1 seed(s) and {1 - share:g} of the base" in card and "query 'query: '" in card


@pytest.mark.parametrize("rows", [64, 100, 6400])
def test_warmup_rounds_up_and_evaluation_down(rows: int) -> None:
    recipe = load_recipe("ko-sbert-nli")
    columns = {"anchor": tuple(sentences(rows))}
    plan = schedule([TrainingSet("nli", DataSet(), "mnrl", 64, columns, None, ())], recipe.train, seed=1)
    steps = rows // 64
    assert (plan.steps, plan.warmup, plan.evaluation) == (steps, -(-steps // 10), max(1, steps // 10))
