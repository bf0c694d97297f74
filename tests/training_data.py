"""A tiny Korean BERT and folders shaped like KorNLU, made for the tests of training."""

from __future__ import annotations

import random
from pathlib import Path

WORDS = (
    *("나는", "너는", "우리는", "오늘", "어제", "내일", "밥을", "책을", "물을"),
    *("집에서", "학교에서", "먹었다", "읽었다", "마셨다", "갔다", "봤다", "좋다", "나쁘다"),
    *("날씨가", "하늘이", "강아지가", "고양이가", "빨리", "천천히", "조용히"),
)


def sentences(count: int, seed: int = 0) -> list[str]:
    """Return different sentences of two to nine words."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(draw.choice(WORDS) for _ in range(draw.randint(2, 9)))] = None
    return list(found)


def tiny_bert(folder: Path, *, width: int = 32, layers: int = 2) -> Path:
    """Write a random BERT with a tokenizer of our words, in Hugging Face layout."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    ids = {token: number for number, token in enumerate([*special, *WORDS, "query", "passage", ":"])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{token.strip('[]').lower()}_token": token for token in special}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **names)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(ids),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 16,
        intermediate_size=2 * width,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def kornlu(folder: Path, premises: int = 60) -> Path:
    """Write KorNLU's files with its own names and columns: three hypotheses a premise, 60 scored pairs."""
    (folder / "KorNLI").mkdir(parents=True)
    (folder / "KorSTS").mkdir()
    texts = iter(sentences(4 * premises, seed=1))
    for name in ("snli_1.0_train.ko.tsv", "multinli.train.ko.tsv"):
        lines = ["sentence1\tsentence2\tgold_label"]
        for _ in range(premises // 2):
            premise = next(texts)
            lines += [f"{premise}\t{next(texts)}\t{label}" for label in ("entailment", "neutral", "contradiction")]
        (folder / "KorNLI" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for number, split in enumerate(("train", "dev", "test")):
        draw = random.Random(number)
        texts = iter(sentences(120, seed=10 + number))
        lines = ["genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2"]
        for row in range(60):
            lines.append(f"news\tf\t2012\t{row}\t{5 * draw.random():.2f}\t{next(texts)}\t{next(texts)}")
        (folder / "KorSTS" / f"sts-{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
