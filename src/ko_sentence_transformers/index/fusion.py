"""Hybrid order: cosine and BM25 as standard scores, added; words count for as much as they single rows out.

The scores of each list are measured in standard deviations over the best :data:`POOL` rows of that list, so that
neither the model's range of cosines nor the number of query terms matters. Words weigh by how much there is to them:

- a list whose best row stands out (a name, a number, a quoted rule) is strong evidence, one where many rows score
  alike (an everyday question in words that the texts do not use) nearly none;
- a query of many terms (a paragraph, a point of law) has its subject in some of them.

The weight is the third power of the stronger of the two.

The constants were tuned on title-and-text pairs; docs/search.md says on which and how far they can be trusted.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .lexical import Candidates

POOL = 200
WEIGHT = 1.2
DECISIVE, MANY = 0.64, 12


def fuse(cosines: Candidates, bm25: Candidates, *, terms: int, total: int) -> Candidates:
    """Return chunks by their fused score, best first.

    :param cosines: the nearest chunks, best first, then any others that ``bm25`` holds, with exact cosines.
    :param bm25: the chunks with the best words, best first.
    :param terms: how many terms of the query the index knows.
    :param total: chunks that could have been found.
    """
    pool = min(POOL, total)
    dense = _standard(cosines.scores, pool)
    words = _standard(np.concatenate([bm25.scores, np.zeros(max(1, pool - len(bm25.scores)), np.float32)]), pool)
    # The greatest standard score that one of n values can have is sqrt(n - 1).
    standing = float(words[0]) / math.sqrt(max(1, pool - 1))
    weight = WEIGHT * min(1.0, max(standing / DECISIVE, terms / MANY)) ** 3
    floor = float(words[-1])  # what a row without any of the words gets
    known = dict(zip(bm25.ids.tolist(), words.tolist(), strict=False))
    fused = np.array(
        [score + weight * known.get(chunk, floor) for chunk, score in zip(cosines.ids.tolist(), dense, strict=True)],
        np.float32,
    )
    order = np.lexsort((cosines.ids, -fused))
    return Candidates(cosines.ids[order], fused[order])


def _standard(scores: NDArray[np.float32], pool: int) -> NDArray[np.float32]:
    """Return ``scores`` in standard deviations from the mean of the best ``pool`` of them."""
    best = np.sort(scores)[::-1][:pool]
    return np.asarray((scores - best.mean()) / (best.std() + 1e-6), np.float32)
