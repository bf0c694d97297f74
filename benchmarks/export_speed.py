"""A model of the usual published size (12 layers, 768 wide, 110M parameters) through `ko-st export`: ratio and parity.

    python benchmarks/export_speed.py [--model FOLDER]

Random weights by default: the time is that of trained ones. One run, the same texts, rounds in turn, a process each
(see `ko-st benchmark`). Needs the extras `export` and `train`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from ko_sentence_transformers.benchmarking import benchmark
from ko_sentence_transformers.export import export_model
from ko_sentence_transformers.export.sentences import korean_sentences


def random_model(folder: Path) -> Path:
    """Save a BERT-base with random weights and a Korean vocabulary of its own."""
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=2000, special_tokens=list(special.values()), show_progress=False)
    tokenizer.train_from_iterator(korean_sentences(2000), trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    base = folder / "base"
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(base)
    # The usual size of a Korean vocabulary; only its first rows are used here.
    transformers.BertModel(transformers.BertConfig(vocab_size=32000)).save_pretrained(base)
    network = Transformer(str(base), max_seq_length=128)
    model = SentenceTransformer(modules=[network, Pooling(768, pooling_mode="mean")], device="cpu")
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def main() -> None:
    """Export, compare, time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a sentence-transformers folder; random weights by default")
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of each side; all by default. 1 is fairest on a shared machine")
    parser.add_argument("--calibration", type=int, default=100, help="sentences that 8-bit ranges are measured on")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        model = Path(arguments.model) if arguments.model else random_model(Path(work))
        started = time.perf_counter()
        report = export_model(
            model, Path(work) / "int8", to="onnx-int8", calibration=korean_sentences(arguments.calibration)
        )
        print(json.dumps({**report.as_dict(), "export_seconds": round(time.perf_counter() - started)}))
        texts = korean_sentences(400)[-arguments.texts :]
        # The 8-bit folder against sentence-transformers with the float weights that it holds in 8 bits.
        for row in benchmark(
            [str(Path(work) / "int8")], texts=texts, threads=arguments.threads, rounds=arguments.rounds
        ):
            print(json.dumps(row.as_dict()))


if __name__ == "__main__":
    main()
