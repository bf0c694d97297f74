# One command for what must hold before a change goes in: make check
PYTHON ?= python

.PHONY: check lint types test docs models bench

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

# Train the shipped models again; KO_ST_SHARED names the folder of data and base models.
models:
	$(PYTHON) benchmarks/make_models.py --shared $(KO_ST_SHARED)
