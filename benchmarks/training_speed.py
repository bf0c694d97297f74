"""Training speed against sentence-transformers' own example loop: the same rows, model, loss and precision.

    python benchmarks/training_speed.py --base DIR --data DIR --file klue_nli_train.tsv

Each side trains one epoch over the same triplets in a process of its own, in turns. The example loop is the one of
sentence-transformers' documentation: its Trainer, MultipleNegativesRankingLoss and BatchSamplers.NO_DUPLICATES.
Ours differs in the order of the rows alone: batches of similar length. With OMP_NUM_THREADS=1 the processor time
says what a shared machine's clock cannot.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDES = ("example", "ours")


def measure(side: str, options: argparse.Namespace) -> dict[str, float]:
    """Train one epoch and return seconds, steps and the growth of peak memory (MiB)."""
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from ko_sentence_transformers.recipe import load_recipe
    from ko_sentence_transformers.training.base import load_base
    from ko_sentence_transformers.training.sets import load_sets
    from ko_sentence_transformers.training.stage import make_trainer, use_bf16

    overrides = [
        f"model.base={options.base}",
        f"data.sets.nli.files=['{options.file}']",
        f"data.sets.nli.limit={options.rows}",
        f"train.batch_size={options.batch_size}",
        f"model.keep_layers={list(range(options.layers))}",
        "train.eval_fraction=0",
        "data.dev=",
    ]
    recipe = load_recipe("ko-sbert-nli", overrides)
    sets = load_sets(recipe, recipe.runs[0], Path(options.data), seed=recipe.train.seed)
    model = load_base(recipe.model, Path(options.data))
    with tempfile.TemporaryDirectory() as folder:
        if side == "ours":
            trainer = make_trainer(recipe, recipe.train, sets, model, folder=Path(folder), dev=None, teacher=None)
            trainer.args.save_strategy = "no"
        else:
            import datasets

            rows = datasets.Dataset.from_dict({name: list(texts) for name, texts in sets[0].columns.items()})
            arguments = SentenceTransformerTrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=options.batch_size,
                learning_rate=2e-5,
                warmup_steps=0.1,
                bf16=use_bf16("auto"),
                use_cpu=not __import__("torch").cuda.is_available(),
                batch_sampler="no_duplicates",
                dataloader_drop_last=True,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            )
            trainer = SentenceTransformerTrainer(
                model=model, args=arguments, train_dataset=rows, loss=MultipleNegativesRankingLoss(model)
            )
        padded = [0]
        model[0].register_forward_pre_hook(
            lambda _, given: padded.__setitem__(0, padded[0] + given[0]["input_ids"].numel())
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, worked = time.perf_counter(), time.process_time()
        trainer.train()
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "processor_seconds": processor,
        "steps": trainer.state.global_step,
        "growth_mib": (peak - before) / 1024,
        "tokens": padded[0],
    }


def main() -> None:
    """Run both sides in turns and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--file", default="klue_nli_train.tsv")
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--layers", type=int, default=0, help="only the first so many, for a quick look (0: all)")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options)))
        return
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(options.repeats):
        for side in SIDES:
            ended = subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--side", side], capture_output=True, text=True, check=True
            )
            found[side].append(json.loads(ended.stdout.splitlines()[-1]))
    summary = {
        side: {
            "steps": runs[0]["steps"],
            "tokens_with_padding": runs[0]["tokens"],
            "steps_per_second": round(statistics.median(run["steps"] / run["seconds"] for run in runs), 3),
            "steps_per_processor_second": round(
                statistics.median(run["steps"] / run["processor_seconds"] for run in runs), 3
            ),
            "peak_growth_mib": round(statistics.median(run["growth_mib"] for run in runs)),
        }
        for side, runs in found.items()
    }
    ours, theirs = summary["ours"], summary["example"]
    # Processor time is what a shared machine cannot distort.
    ratios = {
        "times_faster": round(ours["steps_per_second"] / theirs["steps_per_second"], 2),
        "times_less_processor_time": round(
            ours["steps_per_processor_second"] / theirs["steps_per_processor_second"], 2
        ),
        "times_fewer_tokens": round(theirs["tokens_with_padding"] / ours["tokens_with_padding"], 2),
    }
    print(json.dumps({**summary, **ratios}, indent=2))


if __name__ == "__main__":
    main()
