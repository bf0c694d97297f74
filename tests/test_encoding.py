"""encode(): order, shape, norms, and everything that can be wrong with a text."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence

import numpy as np
import pytest

from conftest import SENTENCES
from ko_sentence_transformers import encode, similarity
from ko_sentence_transformers.errors import InputError, NonFiniteError, TruncationError

LONG = " ".join(SENTENCES)


def test_order_shape_and_norm(tiny_model) -> None:
    texts = [SENTENCES[i % 10] + "!" * (i % 7) for i in range(300)]
    out = encode(tiny_model, texts, batch_tokens=100)
    assert out.shape == (300, 32) and out.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(out[17], tiny_model.encode([texts[17]])[0], atol=1e-5)


def test_no_texts(tiny_model) -> None:
    assert encode(tiny_model, []).shape == (0, 32)
    assert encode(tiny_model, [], truncate_dim=8).shape == (0, 8)


def test_blank_texts_stay_in_place(tiny_model, caplog: pytest.LogCaptureFixture) -> None:
    texts = [SENTENCES[0], "", SENTENCES[1], " \n\t", SENTENCES[2]]
    with caplog.at_level(logging.WARNING):
        out = encode(tiny_model, texts)
    assert "2 of 5 texts are blank (positions 1, 3)" in caplog.text
    assert not out[[1, 3]].any()
    np.testing.assert_allclose(out[[0, 2, 4]], tiny_model.encode(SENTENCES[:3]), atol=1e-5)


@pytest.mark.parametrize("bad", [None, 3, b"bytes", ["list"]])
def test_what_is_no_string_is_named_by_position(tiny_model, bad: object) -> None:
    with pytest.raises(InputError, match=rf"text 1 is {type(bad).__name__}, not a string"):
        encode(tiny_model, ["좋다", bad])  # type: ignore[list-item]


def test_one_string_is_not_a_list(tiny_model) -> None:
    with pytest.raises(InputError, match="pass a list"):
        encode(tiny_model, "문장")


def test_nfd_has_the_vectors_of_nfc(tiny_model) -> None:
    decomposed = [unicodedata.normalize("NFD", text) for text in SENTENCES]
    assert decomposed != SENTENCES
    np.testing.assert_array_equal(encode(tiny_model, decomposed), encode(tiny_model, SENTENCES))


def test_lone_surrogate_is_named(tiny_model) -> None:
    with pytest.raises(InputError, match=r"text 1: lone surrogate U\+D83D"):
        encode(tiny_model, ["좋다", "웃음 \ud83d"])


def test_truncation_is_reported_once_with_numbers(tiny_model, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        encode(tiny_model, [LONG, "짧다", LONG])
    lines = [record.message for record in caplog.records if "longer than 48 tokens" in record.message]
    assert len(lines) == 1 and lines[0].startswith("2 of 3 texts")


def test_truncation_as_error(tiny_model) -> None:
    with pytest.raises(TruncationError, match=r"text 1 has .* the model reads 48"):
        encode(tiny_model, ["짧다", LONG], on_truncation="error")


def test_chunks_are_the_mean_of_windows_by_length(tiny_model) -> None:
    ids = tiny_model.tokenize([LONG])[0]
    windows = tiny_model.window(ids)
    assert all(len(window) <= 48 for window in windows)
    np.testing.assert_array_equal(np.concatenate([w[1:-1] for w in windows]), ids[1:-1])
    vectors = tiny_model.embed(windows)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = np.average(vectors, axis=0, weights=[len(w) for w in windows])
    expected = mean / np.linalg.norm(mean)
    out = encode(tiny_model, ["짧다", LONG], on_truncation="chunk")
    np.testing.assert_allclose(out[1], expected, atol=1e-5)


def test_prompts_go_before_the_text(tiny_model) -> None:
    asked = encode(tiny_model, SENTENCES, prompt_name="query")
    np.testing.assert_allclose(asked, encode(tiny_model, ["질문: " + s for s in SENTENCES]), atol=1e-6)
    with pytest.raises(InputError, match="prompt_name 'passage' is unknown"):
        encode(tiny_model, SENTENCES, prompt_name="passage")


def test_truncate_dim_keeps_the_first_and_unit_length(tiny_model) -> None:
    full, short = encode(tiny_model, SENTENCES), encode(tiny_model, SENTENCES, truncate_dim=8)
    np.testing.assert_allclose(short, full[:, :8] / np.linalg.norm(full[:, :8], axis=1, keepdims=True), atol=1e-6)
    for bad in (0, -1, 33):
        with pytest.raises(InputError, match=f"truncate_dim is {bad}"):
            encode(tiny_model, SENTENCES, truncate_dim=bad)


def test_unknown_tokens_are_reported(tiny_model, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        encode(tiny_model, ["ђѓ ќў џђ", "ψωξ ζη"])
    assert "are unknown to the tokenizer" in caplog.text


def test_a_model_that_returns_nan_is_caught(tiny_model, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(parts: Sequence[np.ndarray], *, batch_tokens: int) -> np.ndarray:
        return np.full((len(parts), 32), np.nan, dtype=np.float32)

    monkeypatch.setattr(tiny_model, "embed", broken)
    with pytest.raises(NonFiniteError):
        encode(tiny_model, SENTENCES)


def test_similarity_is_the_cosine() -> None:
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)).astype(np.float32), rng.normal(size=(3, 7)).astype(np.float32)
    np.testing.assert_allclose(similarity(a, b), 1 - cdist(a, b, "cosine"), atol=1e-6)
    with pytest.raises(InputError, match="7 and 6 dimensions"):
        similarity(a, b[:, :6])
    with pytest.raises(NonFiniteError):
        similarity(a, b * np.float32(np.nan))
