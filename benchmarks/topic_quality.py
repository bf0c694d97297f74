"""Topics of news titles against their seven labels: ours, BERTopic on the same embeddings, k-means on TF-IDF.

    pip install bertopic
    python benchmarks/topic_quality.py ynat_topics.tsv --model ko-sbert-small

The file has the columns ``text`` and ``label``. V-measure and NMI are the same number where both are averaged
arithmetically (scikit-learn does), so NMI is shown with the geometric mean. Outliers count as a group of their own,
for everybody alike. Each method that draws random numbers runs with every seed; shown are mean, least and most.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ko_sentence_transformers import load_model
from ko_sentence_transformers.clustering import cluster
from ko_sentence_transformers.records import read_records
from ko_sentence_transformers.topics import embed

Grouping = Callable[[int], np.ndarray]


def methods(texts: list[str], embeddings: np.ndarray, k: int) -> dict[str, Grouping]:
    """Return every way to group by its name; each takes a seed."""
    return {
        f"ours, k-means k={k}": lambda seed: cluster(embeddings, k=k, seed=seed).labels,
        "ours, density": lambda seed: cluster(embeddings, seed=seed).labels,
        "ours, density, outliers reassigned": lambda seed: (
            cluster(embeddings, reassign_outliers=True, seed=seed).labels
        ),
        "BERTopic, its defaults": lambda seed: bertopic(texts, embeddings, seed, None),
        f"BERTopic, {k} topics, outliers reduced": lambda seed: bertopic(texts, embeddings, seed, k + 1),
        f"k-means k={k} on the embeddings": lambda seed: kmeans(embeddings, k, seed),
        f"k-means k={k} on TF-IDF of words": lambda seed: kmeans(tfidf(texts), k, seed),
    }


def bertopic(texts: list[str], embeddings: np.ndarray, seed: int, topics: int | None) -> np.ndarray:
    """BERTopic as its documentation starts it, with the seed it lacks; ``topics`` merges down to that many."""
    from bertopic import BERTopic
    from umap import UMAP

    reduce = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed)
    model = BERTopic(language="multilingual", umap_model=reduce, nr_topics=topics)
    found, _ = model.fit_transform(texts, embeddings)
    if topics is not None and -1 in found:
        found = model.reduce_outliers(texts, found, strategy="embeddings", embeddings=embeddings)
    return np.asarray(found)


def kmeans(features: object, k: int, seed: int) -> np.ndarray:
    """Plain k-means."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=10, random_state=seed).fit_predict(features)


def tfidf(texts: list[str]) -> object:
    """TF-IDF of words between spaces, as scikit-learn makes it."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(min_df=2).fit_transform(texts)


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", default="ko-sbert-small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, v_measure_score

    rows = list(read_records(arguments.file))
    texts, truth = [row.text for row in rows], [row.metadata["label"] for row in rows]
    embeddings = embed(load_model(arguments.model), texts)
    k = len(set(truth))
    print(f"{len(texts)} titles, {k} labels, {arguments.model}, seeds {arguments.seeds}\n")
    print("| method | V-measure | ARI | NMI (geometric) | topics | outliers |\n| --- | --- | --- | --- | --- | --- |")
    for name, group in methods(texts, embeddings, k).items():
        runs = [np.asarray(group(seed)) for seed in arguments.seeds]
        cells = [
            spread([score(truth, run) for run in runs])
            for score in (
                v_measure_score,
                adjusted_rand_score,
                lambda a, b: normalized_mutual_info_score(a, b, average_method="geometric"),
            )
        ]
        topics = sorted({int(run.max()) + 1 for run in runs})
        outliers = np.mean([np.mean(run < 0) for run in runs])
        print(f"| {name} | {' | '.join(cells)} | {topics[0]}-{topics[-1]} | {outliers:.0%} |", flush=True)


def spread(values: list[float]) -> str:
    """Return mean, least and most."""
    return f"{np.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"


if __name__ == "__main__":
    main()
