"""Model cards in the published card's form, made offline from a recipe and the figures of its run."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from ._recipe_checks import TAUGHT
from .data import list_datasets
from .recipe import Recipe
from .run_report import METRICS, RunReport, StageReport, versions

_LOSSES = {
    "mnrl": "MultipleNegativesRankingLoss",
    "cosent": "CoSENTLoss",
    "angle": "AnglELoss",
    "cosine": "CosineSimilarityLoss",
    "distill": "EmbedDistillLoss",
    "relations": "RelationsLoss",
    "ranks": "CoSENTLoss",
}
_SAMPLER = "ko_sentence_transformers.training.sampler.LengthGroupedBatchSampler"
_EVALUATOR = "sentence_transformers.evaluation.EmbeddingSimilarityEvaluator"
_CITATIONS = """\
- Ham, J., Choe, Y. J., Park, K., Choi, I., & Soh, H. (2020). KorNLI and KorSTS: New benchmark datasets for \
Korean natural language understanding. arXiv preprint arXiv:2004.03289
- Reimers, Nils and Iryna Gurevych. "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks." ArXiv \
abs/1908.10084 (2019)"""
_MORE_CITATIONS = {
    "cosent": "- Su, J. CoSENT: a more efficient sentence vector scheme than Sentence-BERT (2022)",
    "angle": "- Li, X., & Li, J. AnglE-optimized Text Embeddings. arXiv:2309.12871 (2023)",
    "matryoshka": "- Kusupati, A., et al. Matryoshka Representation Learning. arXiv:2205.13147 (2022)",
    "simcse": "- Gao, T., Yao, X., & Chen, D. SimCSE: Simple Contrastive Learning of Sentence Embeddings. "
    "arXiv:2104.08821 (2021)",
    "kobert": "- [KoBERT](https://github.com/SKTBrain/KoBERT)",
}


def model_card(recipe: Recipe, figures: RunReport, *, name: str, architecture: str) -> str:
    """Return the card as Markdown with the hub's metadata at its top.

    :param name: what the model is called, in the title and the example.
    :param architecture: the printed modules.
    """
    width = _width(architecture)
    parts = [
        _front_matter(recipe, figures),
        f"# {name}",
        "This is a [sentence-transformers](https://www.SBERT.net) model: it maps Korean sentences and "
        f"paragraphs to a {width} dimensional dense vector space and can be used for tasks like "
        "clustering or semantic search.",
        _usage(name, recipe),
        _results(recipe, figures),
        _training(recipe, figures),
        f"## Full Model Architecture\n\n```\n{architecture}\n```",
        _data(figures),
        f"## Citing & Authors\n\n{_citations(recipe)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def fit_parameters(recipe: Recipe, stage: StageReport, index: int) -> dict[str, Any]:
    """Return the values of the card's ``fit()`` block for one stage of a run."""
    train = recipe.runs[index].train
    return {
        "epochs": train.epochs,
        "evaluation_steps": stage.evaluation_steps,
        "evaluator": f"{_EVALUATOR}.EmbeddingSimilarityEvaluator" if recipe.data.dev else None,
        "max_grad_norm": _plain(train.max_grad_norm),
        "optimizer_class": f"torch.optim.{'SparseAdam' if recipe.model.static_dim else 'AdamW'}",
        "optimizer_params": {"lr": train.learning_rate},
        "scheduler": "WarmupLinear",
        "steps_per_epoch": None,
        "warmup_steps": stage.warmup_steps,
        "weight_decay": train.weight_decay,
    }


def _front_matter(recipe: Recipe, figures: RunReport) -> str:
    losses = sorted({item.loss for stage in figures.stages for item in stage.sets})
    lines = [
        "language:\n- ko",
        "library_name: sentence-transformers",
        "pipeline_tag: sentence-similarity",
        "tags:\n- sentence-transformers\n- feature-extraction\n- sentence-similarity",
        *(f"- loss:{_LOSSES[loss]}" for loss in losses),
        f"base_model: {json.dumps(_base_name(recipe), ensure_ascii=False)}",
    ]
    return "---\n" + "\n".join(lines) + "\n---"


def _base_name(recipe: Recipe) -> str:
    """Return the hub name, or the last part of a folder: a card says nothing about somebody's disk."""
    base = recipe.model.base.partition("@")[0]
    local = base.startswith((".", "/", "~")) or base.count("/") != 1
    return PurePath(base).name if local else base


def _usage(name: str, recipe: Recipe) -> str:
    prompts = ""
    if recipe.model.prompts:
        shown = ", ".join(f"{key} {value!r}" for key, value in recipe.model.prompts.items())
        prompts = f"\n\nFor search, encode with the prompts: {shown}."
    return f"""## Usage (Sentence-Transformers)

모델을 사용하기 위해서는 `ko-sentence-transformers` 를 설치해야 합니다.

```
pip install -U ko-sentence-transformers
```

Then you can use the model like this:

```python
from ko_sentence_transformers import load_model

sentences = ["안녕하세요?", "한국어 문장 임베딩을 위한 버트 모델입니다."]
model = load_model({name!r})
embeddings = model.encode(sentences)
print(embeddings)
```

`SentenceTransformer({name!r})` of sentence-transformers loads the same folder.{prompts}"""


def _results(recipe: Recipe, figures: RunReport) -> str:
    if not figures.after:
        return ""
    names = {"dev": recipe.data.dev, "test": recipe.data.test}
    parts = ["## Evaluation Results"]
    for split, scores in figures.after.items():
        file = PurePath(names.get(split, split)).name
        parts.append(f"{file} ({scores['n']:.0f}개 문장 쌍) 으로 평가한 결과 (괄호 안은 학습 전 기본 모델).")
        before = figures.before.get(split, {})
        lines = []
        for metric in METRICS:
            title = metric.replace("_", " ").title()
            lines.append(f"- {title}: {scores[metric]:.2f} ({before.get(metric, float('nan')):.2f})")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _training(recipe: Recipe, figures: RunReport) -> str:
    parts = ["## Training", "The model was trained with the parameters:"]
    for position, stage in enumerate(figures.stages):
        if len(figures.stages) > 1:
            parts.append(f"### Stage {stage.name!r}, seed {stage.seed}")
        parts += _stage(recipe, stage, position % len(recipe.runs))
    if recipe.soup.share < 1 or len(recipe.seeds) > 1:
        parts.append(
            f"The weights are {recipe.soup.share:g} of the mean of {len(recipe.seeds)} seed(s) "
            f"and {1 - recipe.soup.share:g} of the base."
        )
    found = ", ".join(f"{package} {number}" for package, number in versions().items())
    parts.append(f"Trained on {figures.device} in {figures.precision}, {figures.processes} process(es); {found}.")
    return "\n\n".join(parts)


def _stage(recipe: Recipe, stage: StageReport, index: int) -> list[str]:
    train = recipe.runs[index].train
    parts = []
    losses = "sentence_transformers.losses"
    for item in stage.sets:
        length = f" of length {stage.steps_per_epoch}" if len(stage.sets) == 1 else ""
        parts.append(
            f"**DataLoader** ({item.name}, {item.rows:,} rows):\n\n`{_SAMPLER}`{length} with parameters:\n"
            + _block({"batch_size": item.batch_size})
        )
        parameters = _loss_parameters(item.loss, train.scale, train.matryoshka_dims)
        parts.append(
            f"**Loss** ({item.name}):\n\n`{losses}.{_LOSSES[item.loss]}` with parameters:\n" + _block(parameters)
        )
    values = json.dumps(fit_parameters(recipe, stage, index), indent=4)
    parts.append("Parameters of the fit()-Method:\n" + _block(values))
    kept = f"step {stage.best_step:,} of {stage.steps:,} was kept"
    if stage.best_score is not None:
        kept += f" (dev Spearman {stage.best_score:.2f})"
    return [*parts, f"Seed {stage.seed}; {kept}."]


def _block(content: object) -> str:
    return f"```\n{content}\n```"


def _loss_parameters(loss: str, scale: float, dims: tuple[int, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if loss == "mnrl":
        values = {"scale": scale, "similarity_fct": "cos_sim"}
    elif loss in ("cosent", "angle"):
        values = {"scale": scale}
    return {**values, "matryoshka_dims": list(dims)} if dims else values


def _data(figures: RunReport) -> str:
    licences = {PurePath(file.path).name: d for d in list_datasets() for file in d.files}
    lines = [
        "## Data and licences\n",
        "| file | rows used | licence | SHA-256 |",
        "| --- | ---: | --- | --- |",
    ]
    for report in figures.data:
        name = PurePath(report.path).name
        known = licences.get(name)
        licence = f"{known.licence} ([source]({known.homepage}))" if known else "as its source states"
        lines.append(f"| {name} | {report.kept:,} of {report.read:,} | {licence} | `{report.sha256[:16]}` |")
    return "\n".join(lines) + "\n\nCC BY-SA data need attribution and share-alike when the model is passed on."


def _citations(recipe: Recipe) -> str:
    lines = [_CITATIONS]
    used = {recipe.loss_of(name, stage.train) for stage in recipe.runs for name in stage.sets}
    lines += [_MORE_CITATIONS[loss] for loss in ("cosent", "angle") if loss in used]
    if any(stage.train.matryoshka_dims for stage in recipe.runs):
        lines.append(_MORE_CITATIONS["matryoshka"])
    if any(item.kind == "texts" and item.loss not in TAUGHT for item in recipe.data.sets.values()):
        lines.append(_MORE_CITATIONS["simcse"])
    if "kobert" in recipe.model.base.lower():
        lines.append(_MORE_CITATIONS["kobert"])
    return "\n".join(lines)


def _width(architecture: str) -> str:
    _, _, rest = architecture.partition("'word_embedding_dimension': ")
    return rest.partition(",")[0] or "fixed"


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number
