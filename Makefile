# One command for what must hold before a change goes in: make check
PYTHON ?= python

.PHONY: check lint types test docs models

check: lint types docs test

lint:
	$(PYTHON) -m ruff format --check src tests benchmarks docs
	$(PYTHON) -m ruff check src tests benchmarks docs

types:
	$(PYTHON) -m mypy

docs:
	$(PYTHON) docs/make_reference.py --check

test:
	$(PYTHON) -m pytest

# Train the shipped models again; KO_ST_SHARED names the folder of data and base models. Takes up a stopped run.
models:
	$(PYTHON) -m ko_sentence_transformers train ko-sbert-small --resume --output runs/ko-sbert-small \
	  --data $(KO_ST_SHARED)/data/train --set data.dev=../eval/korsts_dev.tsv \
	  --set model.base=$(KO_ST_SHARED)/models/multilingual-e5-small-ko-trimmed
	$(PYTHON) -m ko_sentence_transformers export runs/ko-sbert-small --to onnx-int8 --output runs/ko-sbert-small-int8
