"""Random models of three shapes, saved by sentence-transformers itself."""

from __future__ import annotations

from pathlib import Path

from conftest import SENTENCES
from ko_sentence_transformers.export.sentences import korean_sentences

CORPUS = [*SENTENCES, *korean_sentences(200)]
SHAPES = ("bert", "roberta", "xlm-roberta")


def save_model(folder: Path, shape: str, *, dense: bool = False, pooling: str = "mean") -> Path:
    """Save a random model of ``shape`` with its own tokenizer, in the newest form of sentence-transformers."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    base = folder.parent / f"{folder.name}-base"
    base.mkdir(parents=True)
    tokenizer, pad = _tokenizer(shape)
    specials = {
        "pad_token": "<pad>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **specials).save_pretrained(
        base
    )
    torch.manual_seed(3)
    config = transformers.AutoConfig.for_model(
        shape,
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=96 if shape == "bert" else 98,
        type_vocab_size=2 if shape == "bert" else 1,
        pad_token_id=pad,
        initializer_range=0.2,
    )
    transformers.AutoModel.from_config(config).save_pretrained(base)
    network = Transformer(str(base), max_seq_length=48)
    modules = [network, Pooling(32, pooling_mode=pooling)]
    if dense:
        modules += [Dense(32, 24, activation_function=torch.nn.Tanh()), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", prompts={"query": "질문: ", "document": "문서: "})
    model.save(str(folder), create_model_card=False)
    return folder


def _tokenizer(shape: str):
    """Return a tokenizer of the kind that the shape usually has, and the id of its padding."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    if shape == "bert":
        special = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=special, show_progress=False)
    elif shape == "roberta":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=900, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=900, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator(CORPUS, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    if shape == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(ends[1], ends[0])
    else:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return tokenizer, tokenizer.token_to_id("<pad>")
