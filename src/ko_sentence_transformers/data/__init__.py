"""Data: strict readers to typed rows with a row report, the public data sets, their download, and overlap."""

from .catalog import DataFile, Dataset, get_dataset, list_datasets
from .corpora import Split, find_files, klue_nli, klue_sts, kornli, korsts
from .overlap import Overlap, find_overlap, overlap_key, without_overlap
from .readers import (
    KINDS,
    LABELS,
    READERS,
    Columns,
    Kind,
    OnBadRow,
    detect_kind,
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
    "klue_nli",
    "klue_sts",
    "kornli",
    "korsts",
    "list_datasets",
    "nli_triplets",
    "overlap_key",
    "read_labels",
    "read_nli",
    "read_pairs",
    "read_scored_pairs",
    "read_triplets",
    "without_overlap",
]
