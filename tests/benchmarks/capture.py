"""`python -m tests.benchmarks.capture`: on a card, the captured step against the same step told operation by operation.

Prints, for each method, the largest difference of a weight after some steps as a share of the largest change of one,
dropout included; whether a step of either kind waited for the card (then it ends in an error); and whether steps in
parts follow a capture. On a CPU, steps from blocks are held against those of the CPU.
"""

import json
import sys

import torch

from engine.devices import available, describe, set_up
from engine.methods import get_method
from engine.training.card import CardSteps
from engine.training.loop import _Run
from engine.training.throughput import made_up
from tests.benchmarks.material import Teachers

STEPS = 6
SMALL = {"start": "random", "size": 32, "labeled_batch": 8}
CASES = {
    "fine-tune": "tf_efficientnet_lite0",
    "fixmatch": "tf_efficientnet_lite0",
    "distill-weighted": "mobilenetv3_small_100",
    "distill-consensus": "tf_efficientnet_lite0",
}


def run_of(method: str, device: str, *, capture: bool) -> _Run:
    """A short training that has not begun."""
    others = {} if method == "fine-tune" else {"unlabeled_batch": 12}
    images = STEPS * (8 + sum(others.values()))
    recipe = get_method(method).recipe({**SMALL, **others, "images": images, "architecture": CASES[method]})
    material = Teachers(names=("a", "b", "c"), number=50)
    objective = recipe.settings.prepare(material)
    run = _Run(recipe.train, objective, made_up(recipe.train), 0, set_up(device), say=_refuse)
    run.state.student.network.model.drop_rate = 0.2
    if isinstance(run.steps, CardSteps):
        run.steps.capture = capture
    elif capture:
        run.steps = CardSteps(run.state, run.steps.batches, _refuse)
    return run


def weights_after(run: _Run, *, parts: int = 1) -> dict[str, torch.Tensor]:
    """What it ends with. After the first steps, whose capture waits, any wait for the card is an error."""
    run.state.parts = parts
    try:
        for step in range(STEPS):
            if run.device.type == "cuda" and step == 2:
                torch.cuda.set_sync_debug_mode("error")
            run.advance()
    finally:
        if run.device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
        run.steps.close()
    return {name: value.detach().double().cpu() for name, value in run.shipped.named_parameters()}


def apart(method: str, device: str) -> dict[str, float]:
    """How far the captured steps end from the others, as a share of the largest change."""
    start = {n: p.detach().double().cpu() for n, p in run_of(method, device, capture=False).shipped.named_parameters()}
    found = {}
    for parts in (1, 2):
        eager = weights_after(run_of(method, device, capture=False), parts=parts)
        captured = weights_after(run_of(method, device, capture=True), parts=parts)
        change = max(float((eager[name] - start[name]).abs().max()) for name in eager)
        difference = max(float((eager[name] - captured[name]).abs().max()) for name in eager)
        found[f"{parts} parts"] = difference / change
    return found


def _refuse(sentence: str) -> None:
    raise AssertionError(sentence)


def main() -> int:
    """One JSON document."""
    device = available()[0]
    json.dump(
        {"machine": describe(device), **{method: apart(method, device) for method in CASES}}, sys.stdout, indent=1
    )
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
