"""Data: strict readers to typed rows with a row report, the public data sets, NLI triplets, overlap.

:mod:`.download` fetches the public data sets and :mod:`.checks` looks a folder of them over.
"""

from .catalog import DataFile, Dataset, get_dataset, list_datasets
from .columns import KINDS, Columns, Kind, detect_kind, parse_columns
from .corpora import Split, find_files, klue_nli, klue_sts, kornli, korsts
from .overlap import Overlap, find_overlap, overlap_key, without_overlap
from .readers import (
    LABELS,
    READERS,
    OnBadRow,
    get_reader,
    read_labels,
    read_nli,
    read_pairs,
    read_scored_pairs,
    read_triplets,
)
from .rows import Dropped, Label, LabeledText, NliRow, Pair, Row, RowReport, Rows, ScoredPair, Triplet
from .triplets import nli_triplets

__all__ = [
    "KINDS",
    "LABELS",
    "READERS",
    "Columns",
    "DataFile",
    "Dataset",
    "Dropped",
    "Kind",
    "Label",
    "LabeledText",
    "NliRow",
    "OnBadRow",
    "Overlap",
    "Pair",
    "Row",
    "RowReport",
    "Rows",
    "ScoredPair",
    "Split",
    "Triplet",
    "detect_kind",
    "find_files",
    "find_overlap",
    "get_dataset",
    "get_reader",
    "klue_nli",
    "klue_sts",
    "kornli",
    "korsts",
    "list_datasets",
    "nli_triplets",
    "overlap_key",
    "parse_columns",
    "read_labels",
    "read_nli",
    "read_pairs",
    "read_scored_pairs",
    "read_triplets",
    "without_overlap",
]
