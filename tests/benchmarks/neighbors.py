"""What a hundred thousand images cost: `python -m tests.benchmarks.neighbors [--images 100000] [--json]`.

On made-up features, which teachers of one hidden space see, each through a random network of its own, with noise:
the consensus, and how far it agrees with the exact one on a part of the images; a map; and the default ranking with
intervals on 5,000 labeled images of 1,000 classes. Seconds of the processor count every thread; seconds by the clock
are those of this machine as busy as it was; the time to make the features up counts in neither. Memory is the peak of
anonymous memory (RssAnon) while the work was done.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from engine.consensus import consensus
from engine.maps import umap_coordinates
from engine.similarity import standings

DIMENSIONS, HIDDEN = 1280, 48  # of a teacher, as all of the catalogue have; of the space that all of them see
LABELS_PER_CLASS = 5
PART = 6_000  # images on which the consensus is made both ways
T = TypeVar("T")


class Teachers(Mapping[str, np.ndarray]):
    """Features that are made up when they are asked for, as those of a run are read; `seconds` went into that."""

    def __init__(self, images: int, classes: int, teachers: int) -> None:
        generator = np.random.default_rng(0)
        self.truth = generator.permutation(np.resize(np.arange(classes), images))
        centers = generator.standard_normal((classes, HIDDEN), dtype=np.float32)
        spread = np.float32(0.8) * generator.standard_normal((images, HIDDEN), dtype=np.float32)
        self.hidden = centers[self.truth] + spread
        self.names = [f"teacher-{number:02}" for number in range(teachers)]
        self.seconds = np.zeros(2)  # by the clock, of the processor

    def __getitem__(self, name: str) -> np.ndarray:
        began = now()
        generator = np.random.default_rng([self.names.index(name), 1])
        inner = generator.standard_normal((HIDDEN, 256), dtype=np.float32) / np.float32(HIDDEN**0.5)
        outer = generator.standard_normal((256, DIMENSIONS), dtype=np.float32) / np.float32(16)
        features = np.empty((len(self.truth), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(features), 8192):
            seen = np.maximum(self.hidden[start : start + 8192] @ inner, 0) @ outer
            noise = generator.standard_normal(seen.shape, dtype=np.float32)
            features[start : start + 8192] = np.maximum(seen + np.float32(0.3) * noise, 0)
        self.seconds += now() - began
        return features

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def now() -> np.ndarray:
    """Seconds by the clock and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def anonymous_memory() -> int:
    """Bytes of this process that are no mapped files."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def measured(work: Callable[[], T], teachers: Teachers | None = None) -> tuple[T, dict[str, float]]:
    """What the work gives, its seconds, and the peak of memory."""
    peak, done = [anonymous_memory()], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    made_up, began = teachers.seconds.copy() if teachers else np.zeros(2), now()
    found = work()
    seconds = now() - began - ((teachers.seconds - made_up) if teachers else 0)
    done.set()
    watcher.join()
    clock, processor = (round(float(one), 1) for one in seconds)
    return found, {"seconds": clock, "processor_seconds": processor, "memory_gb": round(peak[0] / 1e9, 2)}


def labeled_rows(truth: np.ndarray) -> np.ndarray:
    """The first few images of each class."""
    return np.sort(np.concatenate([np.flatnonzero(truth == one)[:LABELS_PER_CLASS] for one in np.unique(truth)]))


def of_consensus(images: int, teachers: int, classes: int) -> dict[str, Any]:
    """The consensus of all images, and both ways of a part of them."""
    features = Teachers(images, classes, teachers)
    alpha, labeled = dict.fromkeys(features, 1 / teachers), labeled_rows(features.truth)
    found, cost = measured(lambda: consensus(features, alpha, labeled, features.truth[labeled], classes), features)
    print(f"consensus of {images:,} images: {cost}", file=sys.stderr, flush=True)
    return {**cost, "images_right": share_right(found, features.truth), "agreement": agreement(teachers, classes)}


def agreement(teachers: int, classes: int) -> dict[str, Any]:
    """The consensus of fewer images, exactly and approximately."""
    features = Teachers(PART, classes, teachers)
    alpha, labeled = dict.fromkeys(features, 1 / teachers), labeled_rows(features.truth)
    exact, near = (
        consensus(features, alpha, labeled, features.truth[labeled], classes, exact=exact) for exact in (True, False)
    )
    return {
        "images": PART,
        "same_class": round(float((exact.argmax(axis=1) == near.argmax(axis=1)).mean()), 4),
        "images_right_exact": share_right(exact, features.truth),
        "images_right_approximate": share_right(near, features.truth),
    }


def share_right(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of images whose class of highest probability is the true one."""
    return round(float((found.argmax(axis=1) == truth).mean()), 4)


def of_map(images: int, classes: int) -> dict[str, Any]:
    """A map of one teacher's features, and how many of a point's ten nearest points are of its class."""
    from sklearn.neighbors import NearestNeighbors

    made = Teachers(images, classes, 1)
    features = made["teacher-00"]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    points, cost = measured(lambda: umap_coordinates(features))
    some = np.random.default_rng(0).choice(images, min(images, 2000), replace=False)
    nearest = NearestNeighbors(n_neighbors=11).fit(points).kneighbors(points[some], return_distance=False)[:, 1:]
    alike = float((made.truth[nearest] == made.truth[some, None]).mean())
    print(f"map of {images:,} images: {cost}", file=sys.stderr, flush=True)
    return {**cost, "neighbors_of_one_class": round(alike, 4)}


def of_ranking(teachers: int) -> dict[str, Any]:
    """PARC of teachers on five labels of each of 1,000 classes, with an interval from 200 draws."""
    made = Teachers(1000 * LABELS_PER_CLASS, 1000, teachers)
    arrays = [{"features": made[name]} for name in made]
    found, cost = measured(lambda: standings(arrays, made.truth, ["parc"], draws=200, threads=torch.get_num_threads()))
    print(f"ranking of {teachers} teachers: {cost}", file=sys.stderr, flush=True)
    interval = found.by_metric["parc"].uncertainty.intervals[0]
    return {"teachers": teachers, **cost, "first_interval": [round(interval.low, 3), round(interval.high, 3)]}


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--teachers", type=int, default=10)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--only", choices=["consensus", "map", "ranking"])
    parser.add_argument("--ranked", type=int, default=30, help="teachers of the ranking (default 30)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "consensus": lambda: of_consensus(options.images, options.teachers, options.classes),
        "map": lambda: of_map(options.images, options.classes),
        "ranking": lambda: of_ranking(options.ranked),
    }
    document: dict[str, Any] = {"images": options.images, "teachers": options.teachers, "classes": options.classes}
    document |= {name: part() for name, part in parts.items() if options.only in (None, name)}
    if options.json:
        print(json.dumps(document, indent=1))
    else:
        print("\n".join(f"{name}: {value}" for name, value in document.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
