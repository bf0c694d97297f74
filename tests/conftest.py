"""A tiny Korean model made here: random weights, its own tokenizer, a sentence-transformers folder with ONNX."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

# Nothing in a test asks the hub, and nothing is written into the user's own cache.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

SENTENCES = [
    "오늘 날씨가 참 좋네요.",
    "내일은 비가 온다고 합니다.",
    "퇴직금은 언제까지 줘야 하나요?",
    "강아지를 데리고 공원에서 산책했다.",
    "회의는 오후 세 시에 시작합니다.",
    "이 영화는 다시 보고 싶을 만큼 재미있다.",
    "서울에서 부산까지 기차로 두 시간 반이 걸린다.",
    "비밀번호를 잊어버렸을 때는 어떻게 하나요?",
    "주문한 물건이 아직 도착하지 않았어요.",
    "한국어 문장을 벡터로 바꾸는 모델입니다.",
]
CONFIG = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "hidden_act": "gelu",
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    os.environ["KO_ST_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["KO_ST_CACHE"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of Korean data and models, where there is one."""
    folder = os.environ.get("KO_ST_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("KO_ST_SHARED names no folder of Korean data")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT, 32 wide, as a sentence-transformers folder with onnx/model.onnx."""
    onnx = pytest.importorskip("onnx")
    from safetensors.numpy import save_file

    from ko_sentence_transformers.export.graph import encoder_graph

    folder = tmp_path_factory.mktemp("models") / "tiny"
    (folder / "onnx").mkdir(parents=True)
    (folder / "1_Pooling").mkdir()
    config = {**CONFIG, "vocab_size": write_tokenizer(folder)}
    weights = random_weights(config)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    onnx.save(encoder_graph(config, weights), folder / "onnx" / "model.onnx")
    transformer, pooling = "sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": transformer},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": pooling},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48, "do_lower_case": False}))
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "질문: ", "document": "문서: "}})
    )
    return folder


@pytest.fixture
def tiny_model(tiny_model_folder: Path):
    """The tiny model, loaded on one thread."""
    pytest.importorskip("openvino")
    from ko_sentence_transformers import load_model

    return load_model(tiny_model_folder, engine="openvino", threads=1)


def write_tokenizer(folder: Path) -> int:
    """Write a WordPiece tokenizer of the sentences' words and characters; return its vocabulary size.

    The pieces are listed and not learned: the trainer breaks ties in another order in every run.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = sorted({character for text in SENTENCES for character in text if not character.isspace()})
    words = sorted({word for text in SENTENCES for word in text.split() if len(word) > 1})
    pieces = [*special, *characters, *(f"##{character}" for character in characters), *words]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    facts = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 48, "mask_token": "[MASK]", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    return int(tokenizer.get_vocab_size())


def random_weights(config: dict) -> dict[str, np.ndarray]:
    """Random weights of a BERT, under the names that transformers uses."""
    rng = np.random.default_rng(7)
    width, inner = config["hidden_size"], config["intermediate_size"]

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.2, shape).astype(np.float32)

    out = {
        "embeddings.word_embeddings.weight": draw(config["vocab_size"], width),
        "embeddings.position_embeddings.weight": draw(config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": draw(config["type_vocab_size"], width),
    }
    norms = ["embeddings.LayerNorm"]
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}"
        linear = {
            "attention.self.query": (width, width),
            "attention.self.key": (width, width),
            "attention.self.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (inner, width),
            "output.dense": (width, inner),
        }
        for name, shape in linear.items():
            out[f"{layer}.{name}.weight"], out[f"{layer}.{name}.bias"] = draw(*shape), draw(shape[0])
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in norms:
        out[f"{name}.weight"], out[f"{name}.bias"] = 1 + draw(width), draw(width)
    return out
