"""Own domain: raw documents to pairs, pairs to triplets, a shipped model tuned on them, and what it gained.

Pairs come from what documents have anyway: a title and its body, a question and its answer, or sentences that
stand side by side. A part is held out before anything is learned, and recall on it is measured before and after.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ._files import atomic_folder, write_json
from .data import Pair, read_pairs, without_overlap
from .data.rows import Rows
from .encoding import Encoder, encode
from .errors import InputError, OutputError
from .model import load_model
from .negatives import mine_negatives, write_rows
from .recipe import Recipe, load_recipe
from .records import Record, read_records
from .registry import DEFAULT_MODEL
from .scoring import RetrievalData, score_retrieval
from .text import normalize, sentences

if TYPE_CHECKING:
    from .training import Progress

logger = logging.getLogger(__name__)

RECIPE = "ko-sbert-adapt"
# Shorter sentences ("제1조", "예.") say too little to be found by a neighbour.
_SHORTEST = 10


@dataclass(frozen=True, slots=True)
class Pairing:
    """How a corpus becomes pairs: its columns (empty ones are found by their usual names) and what is held out.

    ``holdout`` pairs at the corpus' end, at most a fifth of it, are measured on and not trained on.
    """

    anchor: str = ""
    positive: str = ""
    holdout: int = 500


@dataclass(frozen=True, slots=True)
class Gain:
    """Search on the held-out pairs: each anchor looks for its positive among ``documents`` texts; x 100."""

    pairs: int
    documents: int
    recall_at_1: float
    recall_at_10: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Adapted:
    """The tuned model folder, what it was trained on, and its search before and after."""

    folder: Path
    pairs: int
    negatives: int
    before: Gain
    after: Gain


def adapt(
    corpus: str | Path,
    output: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    pairing: Pairing | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Adapted:
    """Tune ``model`` on the documents of ``corpus`` and write a new model folder.

    :param corpus: pairs (``title body``, ``query doc``, or columns named by ``pairing``), or texts of any kind
        that :func:`~ko_sentence_transformers.records.read_records` reads: then neighbouring sentences pair up.
    :param overrides: ``key=value`` of the recipe, as ``train.max_steps=200``.
    :param resume: take up an unfinished run of this output.
    :raises InputError: for a corpus with too few pairs, or an override that cannot be.
    :raises OutputError: if the output is there or cannot be written.
    """
    from .training import train

    corpus, output = Path(corpus), Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} already exists; name a new folder or remove it first")
    pairing = pairing or Pairing()
    encoder = load_model(model)
    learned, held = _split(corpus_pairs(corpus, pairing), pairing.holdout, corpus)
    others = [pair.positive for pair in learned]
    before = gain(encoder, held, others)
    work = output.with_name(f"{output.name}.pairs")
    if not (resume and work.is_dir()):
        shutil.rmtree(work, ignore_errors=True)
        _write_sets(work, learned, encoder)
    recipe = _recipe(str(model), encoder, work, overrides)
    train(recipe, work, output, resume=resume, on_progress=on_progress)
    after = gain(load_model(output), held, others)
    counts = json.loads((work / "counts.json").read_text(encoding="utf-8"))
    done = Adapted(output, counts["pairs"], counts["negatives"], before, after)
    write_json(output / "adapt.json", {**asdict(done), "folder": output.name, "corpus": corpus.name})
    shutil.rmtree(work, ignore_errors=True)
    return done


def corpus_pairs(corpus: Path, pairing: Pairing) -> Rows[Pair] | tuple[Pair, ...]:
    """Return the pairs of a corpus: its own columns, else neighbouring sentences of each text.

    :raises InputError: if it holds none.
    """
    named = {"anchor": pairing.anchor, "positive": pairing.positive}
    columns = {name: value for name, value in named.items() if value}
    if columns or _has_pairs(corpus):
        return read_pairs(corpus, columns=columns, on_bad_row="drop")
    pairs = tuple(dict.fromkeys(neighbours(read_records(corpus))))
    if not pairs:
        raise InputError(
            f"{corpus}: no two neighbouring sentences of {_SHORTEST} characters or more; name the columns of "
            "pairs with --anchor and --positive"
        )
    return pairs


def neighbours(records: Iterable[Record]) -> Iterator[Pair]:
    """Yield each two sentences that stand side by side in a text, no sentence twice."""
    for record in records:
        found = [normalize(record.text[start:end]) for start, end in sentences(record.text)]
        long = [sentence for sentence in found if len(sentence) >= _SHORTEST]
        for one, two in zip(long[0::2], long[1::2], strict=False):
            if one != two:
                yield Pair(one, two)


def gain(model: Encoder, held: Sequence[Pair], others: Sequence[str] = ()) -> Gain:
    """Search each held-out anchor's positive among all held-out positives and ``others``."""
    documents = tuple(dict.fromkeys((*(pair.positive for pair in held), *others)))
    place = {text: number for number, text in enumerate(documents)}
    queries = tuple(pair.anchor for pair in held)
    relevant = tuple({place[pair.positive]: 1.0} for pair in held)
    vectors = [
        encode(model, texts, prompt_name=name if name in model.prompts else None)
        for texts, name in ((queries, "query"), (documents, "document"))
    ]
    found = score_retrieval(RetrievalData(queries, documents, relevant), vectors).metrics
    return Gain(
        len(held), len(documents), *(round(100 * found[key], 2) for key in ("recall_at_1", "recall_at_10", "mrr"))
    )


def _has_pairs(corpus: Path) -> bool:
    from .data import detect_kind

    if corpus.is_dir() or corpus.suffix == ".txt":
        return False
    try:
        return detect_kind(corpus) in ("pairs", "triplets")
    except InputError:
        return False


def _split(
    rows: Rows[Pair] | tuple[Pair, ...], holdout: int, corpus: Path
) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Return the pairs to learn and the held-out ones; no sentence is in both."""
    pairs = tuple(dict.fromkeys(pair for pair in rows if pair.anchor != pair.positive))
    count = min(holdout, len(pairs) // 5)
    if count < 1:
        raise InputError(f"{corpus}: {len(pairs)} different pairs; at least 5 are needed, some thousand are good")
    held = pairs[-count:]
    learned = without_overlap(Rows(pairs[:-count], (), ()), held)
    if not learned:
        raise InputError(f"{corpus}: every pair shares a sentence with the held-out ones; give more documents")
    return learned, held


def _write_sets(work: Path, learned: Sequence[Pair], encoder: Encoder) -> None:
    mined = mine_negatives(learned, encoder)
    with atomic_folder(work) as aside:
        for name, rows in (("triplets", mined.triplets), ("pairs", mined.left)):
            if rows:
                write_rows(aside / f"{name}.jsonl", rows)
        write_json(aside / "counts.json", {"pairs": len(learned), "negatives": len(mined.triplets)})


def _recipe(model: str, encoder: Encoder, work: Path, overrides: Sequence[str]) -> Recipe:
    """Return the recipe for the model and the sets that there are."""
    present = [path.stem for path in sorted(work.glob("*.jsonl"))]
    settings = [
        f"model.base={json.dumps(model, ensure_ascii=False)}",
        f"model.max_seq_length={encoder.max_seq_length}",
        f"stages=[{{name = 'adapt', sets = {json.dumps(present)}}}]",
    ]
    settings += [
        f"model.prompts.{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in encoder.prompts.items()
        if value
    ]
    query, document = encoder.prompts.get("query", ""), encoder.prompts.get("document", "")
    for name in present:
        for column, prompt in (("anchor", query), ("positive", document), ("negative", document)):
            if prompt and (column != "negative" or name == "triplets"):
                settings.append(f"data.sets.{name}.prompts.{column}={json.dumps(prompt, ensure_ascii=False)}")
    return load_recipe(RECIPE, [*settings, *overrides])
