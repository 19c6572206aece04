"""Whether training on this device gives the numbers that it should."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.training import Checkpoint, Hooks, train
from tests.benchmarks.gpu.loops import Case, Plain, threads_of

STEPS = 4
TOLERANCE = 1e-3  # of the way that the weights went: rounding, and sums of a card in another order
RECORDED = Path(__file__).parents[3] / "assets" / "results"  # comparisons that were recorded on a CPU
LEAST_ROOM = 0.02  # beyond the recorded seeds, for the few there are


def beside_eager(case: Case, device: str) -> float:
    """How far `train` ends from a plain eager loop of the same steps, as a share of the way that loop went."""
    planned, objective, data = case.prepared()
    spec = replace(planned, images=STEPS * planned.images_per_step)
    plain = Plain(case, device, STEPS, spec)
    start = _weights(plain.averaged.state_dict())
    for step in range(STEPS):
        plain.step(step)
    trained = train(spec, objective, data, 0, device=device, threads=threads_of(device))
    return _distance(_weights(trained.network.state_dict()), _weights(plain.averaged.state_dict()), start)


def resumed(case: Case, device: str) -> float:
    """How far a training that was resumed half-way ends from one that went through, as a share of its way since."""
    planned, objective, data = case.prepared()
    spec = replace(planned, images=STEPS * planned.images_per_step)
    kept: list[Checkpoint] = []
    hooks = Hooks(on_checkpoint=kept.append, checkpoint_seconds=0)
    threads = threads_of(device)
    through = train(spec, objective, data, 0, device=device, threads=threads, hooks=hooks)
    half = next(found for found in kept if found.step >= STEPS // 2)
    again = train(spec, objective, data, 0, device=device, threads=threads, resume=half)
    start = {name.removeprefix("averaged.module."): value for name, value in half.tensors.items()}
    return _distance(_weights(again.network.state_dict()), _weights(through.network.state_dict()), _weights(start))


def within_spread(document: Mapping[str, Any], recorded: Sequence[Path] | None = None) -> dict[str, Any]:
    """Each accuracy of a comparison beside those of the same method and task that were recorded on a CPU.

    It fits if it lies between the lowest and the highest of the recorded seeds, widened on both sides by half of what
    lies between these, and by two points at least. Both are of the default settings.
    """
    files = sorted(RECORDED.glob("*.json")) if recorded is None else recorded
    results = [one for file in files for one in json.loads(file.read_text()).get("results", [])]
    found = {}
    for one in document["results"]:
        same = [r["accuracy"] for r in results if (r["task"], r["method"]) == (one["task"], one["method"])]
        if not same:
            continue
        room = max((max(same) - min(same)) / 2, LEAST_ROOM)
        low, high = min(same) - room, max(same) + room
        found[f"{one['task']}, {one['method']}, seed {one['seed']}"] = {
            "accuracy": one["accuracy"],
            "low": low,
            "high": high,
            "fits": low <= one["accuracy"] <= high,
        }
    return found


def _weights(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {name: value.detach().double().cpu().clone() for name, value in state.items() if value.is_floating_point()}


def _distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> float:
    apart = sum(float((one[name] - other[name]).square().sum()) for name in other)
    way = sum(float((other[name] - start[name]).square().sum()) for name in other)
    return (apart / way) ** 0.5
