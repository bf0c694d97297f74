"""Hybrid order: cosine and BM25 as standard scores, added; words count for as much as there is to them.

The scores of each list are measured in standard deviations over the best :data:`POOL` rows of that list, so that
neither the model's range of cosines nor the number of query terms matters. Two shares between 0 and 1 say how far
the words can be trusted:

- how much the best row stands out. A name, a number, a quoted rule singles rows out; the few common words of an
  everyday question do not;
- how much of the query the best row holds (its coverage). Where the texts use other words than the question, or a
  word is misspelt, no row holds much of it.

The words weigh :data:`WEIGHT` times the geometric mean of the two. That constant was chosen on the sets to tune by of
benchmarks/search_quality.py.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .lexical import Candidates

POOL = 200
WEIGHT = 2.0


def fuse(cosines: Candidates, bm25: Candidates, *, coverage: float, total: int) -> Candidates:
    """Return chunks by their fused score, best first.

    :param cosines: the nearest chunks, best first, then any others that ``bm25`` holds, with exact cosines.
    :param bm25: the chunks with the best words, best first.
    :param coverage: how much of the query the chunk with the best words holds, 0 to 1.
    :param total: chunks that could have been found.
    """
    if not len(cosines.ids):  # none of the candidates passes a filter
        return cosines
    pool = min(POOL, total)
    dense = _standard(cosines.scores, pool)
    words = _standard(np.concatenate([bm25.scores, np.zeros(max(1, pool - len(bm25.scores)), np.float32)]), pool)
    # The greatest standard score that one of n values can have is sqrt(n - 1).
    standing = max(0.0, float(words[0]) / math.sqrt(max(1, pool - 1)))
    weight = WEIGHT * math.sqrt(min(1.0, standing) * coverage)
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
