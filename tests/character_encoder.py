"""A model without a network: a text is the sum of its characters' fixed random vectors."""

import numpy as np

from ko_sentence_transformers.encoding import encode


class CharacterEncoder:
    def __init__(self, dim=32, seed=0, prompts=None, name="characters"):
        self.name = name
        self.dim = dim
        self.max_seq_length = 64
        self.prompts = prompts or {}
        self.unknown_id = None
        self.seen = []
        self._table = np.random.default_rng(seed).normal(size=(4096, dim)).astype(np.float32)

    def tokenize(self, texts):
        self.seen += texts
        return [np.array([ord(character) % 4096 for character in text], dtype=np.int64) for text in texts]

    def window(self, ids):
        return [ids[i : i + self.max_seq_length] for i in range(0, len(ids), self.max_seq_length)]

    def embed(self, parts, *, batch_tokens=0):
        return np.stack([self._table[ids].sum(axis=0) for ids in parts])

    def encode(self, texts):
        return encode(self, texts)
