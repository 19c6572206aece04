"""What a ranking costs: `python -m tests.benchmarks.ranking [--images 5000] [--draws 200]`, on made-up features.

With `--scale 30` instead: PARC of 30 teachers on 5,000 images of 1,000 classes, with its intervals. With `--reference
CHECKOUT ...` instead: what public programs cost beside ours (see `reference`).

Prints one JSON document: all metrics on many images, together and one by one; all metrics on draws of few labels; and
the memory of PARC on very many images. Seconds of the processor count every thread; seconds by the clock are those of
this machine as busy as it was.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.similarity import METRICS, score, standings
from tests.benchmarks.reference import beside_public_code

ON_ARRAYS = [name for name, record in METRICS.items() if "record" not in record.needs]


def made_up(images: int, dimensions: int, classes: int, source_classes: int, seed: int = 0) -> tuple[dict, np.ndarray]:
    """Features and pseudo-labels of a teacher that knows the classes a little, in float32, and labels."""
    generator = np.random.default_rng(seed)
    labels = np.resize(np.arange(classes), images)
    centers = generator.standard_normal((classes, dimensions), dtype=np.float32)
    features = generator.standard_normal((images, dimensions), dtype=np.float32) + centers[labels]
    pseudo_labels = generator.random((images, source_classes), dtype=np.float32) ** 8 + 1e-9
    return {"features": features, "pseudo_labels": pseudo_labels / pseudo_labels.sum(1, keepdims=True)}, labels


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    seconds, used = time.perf_counter() - clock, time.process_time() - processor
    return {"seconds": round(seconds, 2), "processor_seconds": round(used, 2)}


def many_images(images: int) -> dict[str, Any]:
    """All metrics but NLEEP on n images, d = 2,048, C = 100, Z = 1,000: together, and each by itself."""
    arrays, labels = made_up(images, 2048, 100, 1000)
    names = [name for name in ON_ARRAYS if name != "nleep"]
    together = timed(lambda: standings([arrays], labels, names, threads=torch.get_num_threads()))
    alone = {name: timed(lambda name=name: score(name, labels=labels, **arrays)) for name in names}
    one_by_one = sum(found["processor_seconds"] for found in alone.values())
    return {
        "images": images,
        "together": together,
        "one by one": alone,
        "together / one by one, of the processor": round(together["processor_seconds"] / one_by_one, 2),
    }


def few_labels(teachers: int, draws: int) -> dict[str, Any]:
    """All metrics on 225 images of 45 classes, d = 1,280, Z = 100, and on draws of half the labels."""
    outputs = [made_up(225, 1280, 45, 100, seed) for seed in range(teachers)]
    labels, arrays = outputs[0][1], [found for found, _ in outputs]
    found = timed(lambda: standings(arrays, labels, ON_ARRAYS, draws=draws, threads=torch.get_num_threads()))
    return {"teachers": teachers, "draws": draws, **found}


def very_many_images(images: int = 20_000, dimensions: int = 512) -> dict[str, Any]:
    """PARC with two classes, where the pairs of one class are half of all."""
    arrays, labels = made_up(images, dimensions, 2, 10)
    found = timed(lambda: score("parc", labels=labels, features=arrays["features"]))
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"images": images, "dimensions": dimensions, **found, "largest_memory_gb": round(gigabytes, 1)}


def many_teachers(teachers: int, images: int, draws: int, classes: int = 1_000) -> dict[str, Any]:
    """PARC of many teachers on n images, d = 1,280, made one by one: what a ranking of them with intervals takes."""
    labels = np.resize(np.arange(classes), images)
    features = (made_up(images, 1280, classes, 1, seed)[0] for seed in range(teachers))
    arrays = [{"features": found["features"]} for found in features]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found = timed(lambda: standings(arrays, labels, ["parc"], draws=draws, threads=torch.get_num_threads()))
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    sizes = {"teachers": teachers, "images": images, "classes": classes, "draws": draws}
    return {**sizes, **found, "with_features_gb": round(before, 1), "largest_memory_gb": round(gigabytes, 1)}


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    if options.reference:
        arrays, labels = made_up(options.images, 2048, 100, 1000)
        return {"public code": beside_public_code(options.reference, arrays, labels, options.rounds)}
    if options.scale:
        return {"many teachers": many_teachers(options.scale, options.images, options.draws)}
    return {
        "many images": many_images(options.images),
        "few labels": few_labels(options.teachers, options.draws),
        "very many images": very_many_images(),
    }


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--teachers", type=int, default=15)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--scale", type=int, metavar="TEACHERS", default=0)
    parser.add_argument("--reference", type=Path, nargs="+", metavar="CHECKOUT", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    document = {"threads": torch.get_num_threads(), **_measured(options)}
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
