# One command for what must hold before a change goes in: make check
PYTHON ?= python

.PHONY: check lint types test docs models figures

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

# Train the shipped models again, one after the other (mini and nano learn from the small one that ships);
# KO_ST_SHARED names the folder of data and base models. Takes up a stopped run.
MODELS = ko-sbert-small ko-sbert-mini ko-sbert-nano
BASE_ko-sbert-small = --set model.base=$(KO_ST_SHARED)/models/multilingual-e5-small-ko-trimmed

models: $(MODELS:%=runs/%-int8)

$(MODELS:%=runs/%-int8): runs/%-int8: runs/%
	$(PYTHON) -m ko_sentence_transformers export $< --to onnx-int8 --output $@

$(MODELS:%=runs/%): runs/%:
	$(PYTHON) -m ko_sentence_transformers train $* --resume --output $@ \
	  --data $(KO_ST_SHARED)/data/train --set data.dev=../eval/korsts_dev.tsv $(BASE_$*)

# Measure the shipped models and write docs/models.md
figures:
	$(PYTHON) docs/make_models.py
