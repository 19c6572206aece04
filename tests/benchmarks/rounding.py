"""`python -m tests.benchmarks.rounding TASK`: how far rounding alone moves a method's accuracy.

The same run again and again, its starting weights each time changed by a millionth of their size: about what another
device, another version of PyTorch or another number of threads does to a step. Prints one JSON line for each time.
"""

import argparse
import json
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from engine.evaluation import accuracy
from engine.methods import get_method
from engine.methods.made_up import MadeUp
from engine.review import open_task
from engine.tasks import Draw
from engine.tasks.pixel_file import open_pixels
from engine.teachers import Network, bundled_imagenet_state
from engine.training import Hooks, Point, TrainData, TrainSpec, predict, train
from engine.verbs import open_workspace

CHANGE = 1e-6  # of a weight, one standard deviation


def main() -> None:
    """Run it as many times as is asked for, the first time unchanged."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rounding", description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--method", default="fixmatch", choices=("fine-tune", "fixmatch"))
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=TrainSpec.images, help="student images with gradient in a run")
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    task = open_task(open_workspace(), chosen.task)
    recipe = get_method(chosen.method).recipe({"evaluations": 4, "images": chosen.images})
    seen, held_out = open_pixels(task, recipe.train.size, [task.train_rows, task.test_rows])
    labeled = task.labeled_rows(Draw(seed=chosen.seed))
    for time in range(chosen.times):
        curve: list[tuple[int, float]] = []

        def on_evaluation(point: Point, network: Network, curve: list[tuple[int, float]] = curve) -> None:
            predicted = predict(network, held_out).argmax(1).numpy()
            curve.append((point.images, round(accuracy(predicted, task.labels[task.test_rows]), 4)))

        def start(architecture: str, time: int = time) -> Mapping[str, Tensor]:
            return changed(bundled_imagenet_state(architecture), time)

        data = TrainData(
            images=seen,
            labeled=torch.from_numpy(np.searchsorted(task.train_rows, labeled)),
            labels=torch.from_numpy(task.labels[labeled]),
            classes=len(task.classes),
            flip=task.record.flip,
            start=start,
        )
        hooks = Hooks(on_evaluation=on_evaluation)
        objective = recipe.settings.prepare(MadeUp(None))
        train(recipe.train, objective, data, chosen.seed, device=chosen.device, threads=1, hooks=hooks)
        print(json.dumps({"time": time, "curve": curve}), flush=True)


def changed(state: Mapping[str, Tensor], time: int) -> dict[str, Tensor]:
    """The weights, each times 1 + `CHANGE` times a number drawn for this time; as they are the first time."""
    draws = torch.Generator().manual_seed(time)
    return {
        name: value * (1 + CHANGE * torch.randn(value.shape, generator=draws))
        if time and value.is_floating_point()
        else value
        for name, value in state.items()
    }


if __name__ == "__main__":
    main()
