"""Natural language inference to triplets, as sentence-transformers' own NLI recipe builds them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from ..errors import InputError
from .rows import NliRow, Triplet


def nli_triplets(rows: Iterable[NliRow], *, seed: int) -> tuple[Triplet, ...]:
    """Return ``(anchor, entailed, contradicted)`` triplets of NLI rows.

    The same rows and seed give the same triplets: the partners are sorted before one is drawn, so that
    nothing hangs on Python's hash seed. Every row counts in both directions. A sentence with at least one
    entailed and one contradicted partner gives two triplets: itself with one of each, and an entailed
    partner with itself and a contradicted one.

    :raises InputError: if no sentence has both, with the count of each label.
    """
    entailed: dict[str, set[str]] = {}
    contradicted: dict[str, set[str]] = {}
    order: dict[str, None] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.label] += 1
        order[row.premise] = order[row.hypothesis] = None
        if row.label == "neutral":
            continue
        partners = entailed if row.label == "entailment" else contradicted
        partners.setdefault(row.premise, set()).add(row.hypothesis)
        partners.setdefault(row.hypothesis, set()).add(row.premise)
    draw = random.Random(seed)
    triplets = []
    for anchor in order:
        if anchor in entailed and anchor in contradicted:
            positives, negatives = sorted(entailed[anchor]), sorted(contradicted[anchor])
            triplets.append(Triplet(anchor, draw.choice(positives), draw.choice(negatives)))
            triplets.append(Triplet(draw.choice(positives), anchor, draw.choice(negatives)))
    if not triplets:
        seen = ", ".join(f"{label} {counts[label]}" for label in ("entailment", "neutral", "contradiction"))
        raise InputError(
            f"no triplets: no sentence has both an entailed and a contradicted partner (rows: {seen}); "
            "give rows with both labels"
        )
    return tuple(triplets)
