from __future__ import annotations

import io
import random
import shutil
from pathlib import Path

import pytest

from ko_sentence_transformers import kobert
from ko_sentence_transformers.errors import ModelError, ModelFolderError
from training_data import sentences, tiny_bert

spm = pytest.importorskip("sentencepiece")
pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("default")

TEXTS = [
    "한국어 모델을 공유합니다.",
    "나는 밥을  먹었다",
    "  앞뒤 공백 ",
    "ＡＢＣ 전각 １２３",
    "KorSTS 1,379개, 2026년!",
    "모르는 글자 龘 와 😀 이모지",
    "",
    "ㅋㅋㅋ 정말?",
    *sentences(40, seed=4),
]


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SentencePiece model with KoBERT's five specials at its first ids, beside a BERT."""
    path = tmp_path_factory.mktemp(f"kobert-{request.param}")
    draw = random.Random(0)
    corpus = sentences(800, seed=1) + [text + draw.choice(" .!?,") for text in TEXTS if text and "龘" not in text] * 5
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        model_type=request.param,
        vocab_size=250 if request.param == "bpe" else 180,
        hard_vocab_limit=False,
        unk_id=0,
        unk_piece="[UNK]",
        pad_id=1,
        pad_piece="[PAD]",
        bos_id=-1,
        eos_id=-1,
        control_symbols="[CLS],[SEP],[MASK]",
        minloglevel=2,
    )
    (path / "spiece.model").write_bytes(model.getvalue())
    return path


def reference(folder: Path) -> spm.SentencePieceProcessor:
    return spm.SentencePieceProcessor(model_file=str(folder / "spiece.model"))


def test_ids_are_those_of_sentencepiece_itself(folder: Path) -> None:
    tokenizer, expected = kobert.load_tokenizer(folder), reference(folder)
    for text in TEXTS:
        ids = [2, *expected.encode(text), 3]
        assert tokenizer(text)["input_ids"] == ids, text
    assert tokenizer.unk_token_id == 0 and tokenizer.pad_token_id == 1 and tokenizer.mask_token_id == 4
    assert len(tokenizer) == expected.get_piece_size()
    padded = tokenizer(TEXTS[:2], padding=True)
    assert padded["input_ids"][0][-1] == 1 or padded["input_ids"][1][-1] == 1
    assert tokenizer.decode(tokenizer(TEXTS[1])["input_ids"], skip_special_tokens=True) == "나는 밥을 먹었다"


def test_the_form_with_a_vocabulary_file_maps_the_pieces(folder: Path, tmp_path: Path) -> None:
    """The other form: the same pieces, their ids by the line of vocab.txt."""
    expected = reference(folder)
    pieces = [expected.id_to_piece(i) for i in range(expected.get_piece_size())]
    order = pieces[:5] + sorted(pieces[5:], reverse=True)
    shutil.copy(folder / "spiece.model", tmp_path / "tokenizer_78b3253a26.model")
    (tmp_path / "vocab.txt").write_text("\n".join(order) + "\n", encoding="utf-8")
    tokenizer = kobert.load_tokenizer(tmp_path)
    for text in TEXTS:
        # SentencePiece names an unknown run by its text; the model has one id for it.
        known = [expected.id_to_piece(i) for i in expected.encode(text)]
        assert tokenizer(text)["input_ids"] == [2, *(order.index(piece) for piece in known), 3], text
    (tmp_path / "vocab.txt").write_text("\n".join(order[:-3]) + "\n", encoding="utf-8")
    with pytest.raises(ModelFolderError, match=r"3 pieces of tokenizer_78b3253a26.model are missing"):
        kobert.load_tokenizer(tmp_path)


def test_golden_ids_are_checked_where_it_is_the_published_vocabulary(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = kobert.load_tokenizer(folder)
    monkeypatch.setattr(kobert, "_KOBERT_SIZE", len(tokenizer))
    with pytest.raises(ModelFolderError, match=r"the golden ids are \(2, 4958, 6855, 2046, 7088, 1050, 7843, 54, 3\)"):
        kobert.load_tokenizer(folder)
    monkeypatch.setattr(kobert, "GOLDEN_IDS", tuple(tokenizer(kobert.GOLDEN_TEXT)["input_ids"]))
    kobert.load_tokenizer(folder)


def test_converted_folder_loads_everywhere_and_keeps_its_golden_ids(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertModel

    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink(missing_ok=True)
    tokenizer = kobert.load_tokenizer(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    # As the published folder has it: a class that no longer exists.
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "KoBertTokenizer"}', encoding="utf-8")
    kobert.convert_folder(folder, tmp_path / "converted")
    again = AutoTokenizer.from_pretrained(tmp_path / "converted")
    assert [again(text)["input_ids"] for text in TEXTS] == [tokenizer(text)["input_ids"] for text in TEXTS]
    kobert.check_golden(again, tmp_path / "converted")
    other = AutoTokenizer.from_pretrained(tiny_bert(tmp_path / "other"))
    with pytest.raises(ModelFolderError, match="the golden ids are"):
        kobert.check_golden(other, tmp_path / "converted")
    # And the trainer starts from it without being told that it is KoBERT.
    from ko_sentence_transformers.recipe import Model
    from ko_sentence_transformers.training.base import load_base

    model = load_base(Model(base=str(folder)), tmp_path)
    assert model.tokenizer(TEXTS[0])["input_ids"] == tokenizer(TEXTS[0])["input_ids"]
    assert model.encode(TEXTS[:2]).shape == (2, 32)


def test_tokenizers_that_know_nothing_are_refused(folder: Path, tmp_path: Path) -> None:
    tokenizer = kobert.load_tokenizer(folder)
    kobert.check_tokenizer(tokenizer, sentences(50, seed=1), name="fits")
    with pytest.raises(ModelError, match=r"foreign: \d+ of \d+ tokens .* unknown .* model.tokenizer=kobert"):
        kobert.check_tokenizer(tokenizer, ["龘靐齉", "爩鱻麤 灩"], name="foreign")

    class Broken:
        unk_token_id = None

        def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
            return {"input_ids": [[5, 6]] * len(texts)}

    with pytest.raises(ModelError, match="gives 2 different texts the same ids"):
        kobert.check_tokenizer(Broken(), ["하나", "둘", "하나"], name="broken")


def test_damaged_files_are_one_line(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "spiece.model").read_bytes()
    for content in (b"", whole[: len(whole) // 2 + 1], b"\x00\x01\x02" * 50, b'{"not": "a model"}'):
        (tmp_path / "spiece.model").write_bytes(content)
        with pytest.raises(ModelFolderError) as caught:
            kobert.load_tokenizer(tmp_path)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelFolderError, match="no KoBERT folder"):
        kobert.load_tokenizer(tmp_path / "empty")
