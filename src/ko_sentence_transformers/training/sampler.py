"""Batches: rows of similar length together, no text twice where the batch is its own negatives.

Length grouping is where the speed comes from: a batch is padded to its longest text, so a batch of one length
has almost no padding. Everything is drawn from the seed and the epoch alone, so a run can be taken up at any
step. No torch: a batch sampler is any iterable of index lists with a length.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import InputError
from .sets import TrainingSet

# Rows sorted together, in batches: enough for batches of one length, few enough to stay shuffled. A window is cut
# into groups by the first text, and each is sorted by the others: rows of a batch are alike in both.
_WINDOW = 64
_GROUP = 8


class LengthGroupedBatchSampler:
    """The batches of one training set.

    Contrastive sets give ``n // batch_size`` full batches without a text twice (a text that is also another
    row's negative or positive would teach that it is unlike itself). Rows that cannot be placed so are replaced
    by others, and only a set that cannot fill one batch gives smaller ones. Scored sets give every row once.
    With several processes all batches are full and their number is a multiple of ``world_size``; neighbours,
    one for each process, are of similar length.
    """

    drop_last = False

    def __init__(self, rows: TrainingSet, *, seed: int, by_length: bool = True, world_size: int = 1) -> None:
        self.rows = rows
        self.batch_size = min(rows.batch_size, len(rows))
        self.seed = seed
        self.by_length = by_length
        self.world_size = world_size
        self.epoch = 0
        full, rest = divmod(len(rows), self.batch_size)
        partial = bool(rest) and not rows.contrastive and world_size == 1
        self._count = (full + partial) // world_size * world_size
        if not self._count:
            raise InputError(
                f"set {rows.name!r} has {len(rows)} rows, too few for {world_size} processes with batches of "
                f"{rows.batch_size}; lower train.batch_size"
            )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches are drawn next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        # A text seed is hashed by SHA-512: the same on every machine and for every PYTHONHASHSEED.
        draw = random.Random(f"{self.seed} {self.epoch} {self.rows.name}")
        order = list(range(len(self.rows)))
        draw.shuffle(order)
        batches = self._packed(order) if self.rows.contrastive else self._sliced(order)
        self._top_up(batches, draw)
        units = [batches[i : i + self.world_size] for i in range(0, self._count, self.world_size)]
        draw.shuffle(units)
        for unit in units:
            yield from unit

    def _windows(self, order: list[int]) -> Iterator[list[int]]:
        size = self.batch_size * _WINDOW
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def _sorted(self, rows: list[int]) -> list[int]:
        if not self.by_length:
            return rows
        window = np.asarray(rows)
        window = window[np.argsort(self.rows.lengths[window, 0], kind="stable")]
        group = np.arange(len(window)) // (self.batch_size * _GROUP)
        others = self.rows.lengths[window, 1]
        return [int(row) for row in window[np.lexsort((others, group))]]

    def _sliced(self, order: list[int]) -> list[list[int]]:
        out = []
        for window in self._windows(order):
            rows = self._sorted(window)
            out += [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        return out[: self._count] if self.world_size > 1 else out

    def _packed(self, order: list[int]) -> list[list[int]]:
        out: list[list[int]] = []
        waiting: list[int] = []
        for window in self._windows(order):
            # Rows that conflict with everything must not pile up: each would be tried again in every window.
            queue = self._sorted(waiting[: len(window)] + window)
            while len(queue) >= self.batch_size and len(out) < self._count:
                batch, queue = self._distinct(queue)
                if len(batch) < self.batch_size:
                    queue = batch + queue
                    break
                out.append(batch)
            waiting = queue
        return out

    def _distinct(self, queue: list[int]) -> tuple[list[int], list[int]]:
        """Take a batch of rows that share no text from the front of ``queue``; return it and the rest."""
        keys = self.rows.keys
        batch: list[int] = []
        passed: list[int] = []
        seen: set[int] = set()
        for position, row in enumerate(queue):
            if seen.isdisjoint(keys[row]):
                batch.append(row)
                seen.update(keys[row])
                if len(batch) == self.batch_size:
                    return batch, passed + queue[position + 1 :]
            else:
                passed.append(row)
        return batch, passed

    def _top_up(self, batches: list[list[int]], draw: random.Random) -> None:
        """Add batches until there are as many as promised: the schedule counts on them."""
        while len(batches) < self._count:
            again = list(range(len(self.rows)))
            draw.shuffle(again)
            more = self._packed(again)
            if not more:
                more = [self._largest(again)]
            batches += more[: self._count - len(batches)]

    def _largest(self, order: list[int]) -> list[int]:
        """Return what there is of a batch when none can be full: a small set with few different texts."""
        batch, _ = self._distinct(order)
        if len(batch) < 2 or self.world_size > 1:
            raise InputError(
                f"set {self.rows.name!r} has too few different texts: {len(batch)} rows without a common "
                f"text, batches of {self.batch_size}; lower train.batch_size"
            )
        return batch


class MixedBatchSampler:
    """The batches of several sets in one order; indices count through the sets one behind the other.

    Proportional: every batch of every set, in a shuffled order. Round robin: one batch of each set in turn
    until the shortest is used up. With several processes each step is of one set for all of them, as the
    losses gather vectors across the processes.
    """

    batch_size = None
    drop_last = False

    def __init__(
        self, samplers: Sequence[LengthGroupedBatchSampler], *, mixing: str, seed: int, world_size: int = 1
    ) -> None:
        self.samplers = samplers
        self.mixing = mixing
        self.seed = seed
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches are drawn next."""
        self.epoch = epoch
        for sampler in self.samplers:
            sampler.set_epoch(epoch)

    def __len__(self) -> int:
        counts = [len(sampler) for sampler in self.samplers]
        return min(counts) * len(counts) if self.mixing == "round_robin" else sum(counts)

    def __iter__(self) -> Iterator[list[int]]:
        offsets, total = [], 0
        for sampler in self.samplers:
            offsets.append(total)
            total += len(sampler.rows)
        iterators = [iter(sampler) for sampler in self.samplers]
        for which in self._order():
            for _ in range(self.world_size):
                yield [offsets[which] + row for row in next(iterators[which])]

    def _order(self) -> list[int]:
        units = [len(sampler) // self.world_size for sampler in self.samplers]
        if self.mixing == "round_robin":
            return list(range(len(units))) * min(units)
        order = [which for which, count in enumerate(units) for _ in range(count)]
        random.Random(f"{self.seed} {self.epoch} order").shuffle(order)
        return order
