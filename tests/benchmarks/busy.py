"""`python -m tests.benchmarks.busy`: training images a second, alone and beside busy loops.

Two workers live at once: one whose OpenMP threads sleep while they wait for each other, as the queue starts workers,
and one whose threads wait as OpenMP does by itself, spinning. They measure in turn, seconds each, so that whatever
else the machine does meets both; who is not asked sleeps. "alone" is as alone as the machine is: its load is printed.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from engine.jobs import processes

ROUNDS = 5
SECONDS = 2.0  # of each measurement, or two steps where one takes longer
THREADS = 2
METHODS = ("fine-tune",)
BUSY_LOOPS = 2
BUSY = (
    "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"  # ends with its parent
)


class Worker:
    """A process that trains as a job's worker does, a few seconds whenever it is asked."""

    def __init__(self, policy: str | None) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in processes.OWN_WAITING}
        if policy is not None:
            environment["OMP_WAIT_POLICY"] = policy
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.busy", "work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def images_per_second(self, method: str) -> float:
        """Student images with gradient a second, over `SECONDS`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{method}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def work() -> None:
    """What a `Worker` does: a method a line comes in, images a second go out."""
    from engine.methods import get_method
    from engine.methods.made_up import MadeUp
    from engine.training.throughput import images_per_second

    processes.give_way()
    for line in sys.stdin:
        recipe = get_method(line.strip()).recipe()
        objective = recipe.settings.prepare(MadeUp(THREADS))
        print(images_per_second(recipe.train, objective, "cpu", THREADS, SECONDS), flush=True)


def pairs(sleeping: Worker, default: Worker, method: str) -> dict:
    """Both in turn, `ROUNDS` times: median images a second of each, and of the ratio of neighbors, with its range."""
    found = [(sleeping.images_per_second(method), default.images_per_second(method)) for _ in range(ROUNDS)]
    ratios = [first / second for first, second in found]
    return {
        "sleeping": round(statistics.median(first for first, _ in found), 1),
        "as OpenMP waits by itself": round(statistics.median(second for _, second in found), 1),
        "ratio": {
            "median": round(statistics.median(ratios), 2),
            "low": round(min(ratios), 2),
            "high": round(max(ratios), 2),
        },
    }


def main(methods: Sequence[str]) -> None:
    """Measure and print."""
    found: dict[str, object] = {"threads": THREADS, "processors": os.cpu_count(), "unit": "images/s", "rounds": ROUNDS}
    with ExitStack() as stack:
        sleeping = stack.enter_context(Worker(processes.WAITING["OMP_WAIT_POLICY"]))
        default = stack.enter_context(Worker(None))
        for worker in (sleeping, default):  # loads PyTorch and warms it up
            worker.images_per_second(methods[0])
        for loops in (0, BUSY_LOOPS):
            for _ in range(loops):
                loop = subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
                stack.callback(loop.wait)
                stack.callback(loop.kill)
            load = os.getloadavg()[0]
            measured = {method: pairs(sleeping, default, method) for method in methods}
            name = f"beside {loops} busy loops" if loops else "alone"
            found[name] = {"load before": round(load, 1), **measured, "load after": round(os.getloadavg()[0], 1)}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    work() if sys.argv[1:] == ["work"] else main(sys.argv[1:] or METHODS)
