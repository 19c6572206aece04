"""`python -m tests.benchmarks.freed [--rounds N] [--json]`: what it saves that a worker keeps the memory that it frees.

Steps of training on made-up images, one thread, each measurement in a process of its own, in turns with and without
`engine.jobs.memory.keep_freed`: processor time an image, of it the system's, pages that the system had to hand out,
and the most memory. Printed are medians over the rounds, and the median and range of the ratio of processor times.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

CASES = (("fine-tune", 64), ("fixmatch", 64), ("distill-consensus", 64), ("fine-tune", 128), ("fine-tune", 224))
WARM_UP, STEPS = 2, {64: 8, 128: 4, 224: 2}
MEASURED = ("cpu", "system", "pages", "peak")


class _EnoughError(Exception):
    """Ends a measurement."""


def measure(method: str, size: int, keep: bool) -> dict[str, float]:
    """In this process, once: ms of processor time and of the system's, and pages, of each image; the peak in MB."""
    from engine.jobs import memory
    from engine.methods import get_method
    from engine.methods.made_up import MadeUp
    from engine.training import train
    from engine.training.loop import Hooks
    from engine.training.throughput import made_up

    if keep and not memory.keep_freed():
        raise SystemExit("The C library of this machine cannot be told so.")
    recipe = get_method(method).recipe({"size": size})
    marks = []

    def on_step(step: int, steps: int, images: int) -> None:
        if step == WARM_UP:
            marks.append((resource.getrusage(resource.RUSAGE_SELF), images))
        if step == WARM_UP + STEPS[size]:
            marks.append((resource.getrusage(resource.RUSAGE_SELF), images))
            raise _EnoughError

    with suppress(_EnoughError):
        train(
            replace(recipe.train, start="random"),
            recipe.settings.prepare(MadeUp(1)),
            made_up(recipe.train),
            0,
            threads=1,
            hooks=Hooks(on_step=on_step),
        )
    (before, none), (after, images) = marks
    count, system = images - none, after.ru_stime - before.ru_stime
    return {
        "cpu": 1e3 * (after.ru_utime - before.ru_utime + system) / count,
        "system": 1e3 * system / count,
        "pages": (after.ru_minflt - before.ru_minflt) / count,
        "peak": after.ru_maxrss / 1024,
    }


def in_turns(method: str, size: int, rounds: int) -> dict[str, object]:
    """Medians with and without, and the ratio."""
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    for turn in range(rounds):
        for keep in (True, False) if turn % 2 else (False, True):
            command = [sys.executable, "-m", "tests.benchmarks.freed", "--one", method, str(size), str(int(keep))]
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            found[keep].append(json.loads(done.stdout))
    ratios = [kept["cpu"] / given["cpu"] for kept, given in zip(found[True], found[False], strict=True)]
    return {
        "method": method,
        "size": size,
        "ratio": [statistics.median(ratios), min(ratios), max(ratios)],
        **{
            name: {key: statistics.median(one[key] for one in found[keep]) for key in MEASURED}
            for name, keep in (("kept", True), ("given back", False))
        },
    }


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.freed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        method, size, keep = options.one
        print(json.dumps(measure(method, int(size), keep == "1")))
        return
    for method, size in CASES:
        found = in_turns(method, size, options.rounds)
        if options.json:
            print(json.dumps(found), flush=True)
            continue
        middle, low, high = found["ratio"]
        print(f"{method}, {size} px: {middle:.2f} ({low:.2f} to {high:.2f}) of the processor time", flush=True)
        for name in ("kept", "given back"):
            each = found[name]
            print(
                f"  {name}: {each['cpu']:.1f} ms an image, of them {each['system']:.1f} of the system, "
                f"{each['pages']:.0f} pages; {each['peak']:.0f} MB at the most"
            )


if __name__ == "__main__":
    main()
