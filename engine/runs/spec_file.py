"""A run as a file that a person writes: which task and method, and whatever else shall not be as usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.errors import InvalidInputError, UnknownNameError
from engine.files import json_value, storage_error
from engine.methods import get_method, names_of
from engine.records import Count, Positive
from engine.review import open_task
from engine.runs.ranking import DEFAULT_METRIC
from engine.runs.spec import RunSpec, plan
from engine.training import TrainSpec
from engine.workspace import Workspace

EXAMPLE: Mapping[str, Any] = {
    "task": "quickdraw",
    "method": "distill-weighted",
    "seed": 0,
    "labels_per_class": 5,
    "metric": DEFAULT_METRIC,
    "device": "auto",
    "images": 16_000,
    "size": 64,
}


@dataclass(frozen=True)
class WantedRun:
    """What stands in such a file beside fields of training and of the method."""

    task: str
    method: str
    seed: Count = 0
    labels_per_class: Positive | Literal["all"] | None = None
    metric: str = DEFAULT_METRIC
    teachers: tuple[str, ...] | None = None
    alpha: dict[str, float] | None = None
    device: str | None = None


def read_spec_file(path: Path) -> dict[str, Any]:
    """What stands in such a file. Raises StorageError if it cannot be read, InvalidInputError if it is no object."""
    try:
        value = json_value(path.read_bytes())
    except OSError as error:
        raise storage_error(error, path) from error
    except ValueError as error:
        raise InvalidInputError(f"{path.name} is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidInputError(f"{path.name} is no object of keys and values: `run --example` shows one.")
    return value


def spec_from_file(workspace: Workspace, value: Mapping[str, Any]) -> tuple[RunSpec, str | None]:
    """The run that such a file describes, and the device that it names.

    Raises InvalidInputError or UnknownNameError for what is wrong in it, with the nearest right one; DamagedFileError.
    """
    own = names_of(WantedRun)
    if missing := [name for name in ("task", "method") if name not in value]:
        _check_keys(value, [*own, *names_of(TrainSpec)])  # a misspelled key is the likelier mistake
        raise InvalidInputError(f"The spec lacks {' and '.join(missing)}: `run --example` shows one.")
    try:
        wanted = msgspec.convert({name: inner for name, inner in value.items() if name in own}, WantedRun)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).replace("`", "").partition(" - at $.")
        raise InvalidInputError(f"{place or 'the spec'} is {value.get(place)!r}: {reason}.") from error
    method = get_method(wanted.method)
    _check_keys(value, [*own, *names_of(TrainSpec), *names_of(method.settings)])
    [spec] = plan(
        workspace,
        open_task(workspace, wanted.task),
        [wanted.method],
        [wanted.seed],
        labels_per_class=wanted.labels_per_class,
        device=wanted.device,
        metric=wanted.metric,
        teachers=wanted.teachers,
        alpha=wanted.alpha,
        **{name: inner for name, inner in value.items() if name not in own},
    )
    return spec, wanted.device


def as_spec_file(spec: RunSpec) -> dict[str, Any]:
    """What such a file must say for this very run, on the same revision of its task."""
    method, settings = get_method(spec.method), asdict(spec.settings)
    train = asdict(spec.train)
    if not spec.settings.takes_unlabeled:
        del train["unlabeled_batch"]
    found: dict[str, Any] = {
        "task": spec.task,
        "method": spec.method,
        "seed": spec.seed,
        "labels_per_class": spec.labels_per_class,
        "metric": spec.metric,
        "device": spec.device,
    }
    if method.weights:
        found["teachers"] = sorted(spec.teachers or {})
    if spec.alpha is not None:
        found["alpha"] = dict(spec.alpha)
    return {**found, **train, **settings}


def _check_keys(value: Mapping[str, Any], known: list[str]) -> None:
    if unknown := sorted(set(value) - set(known)):
        raise UnknownNameError("key of such a spec", unknown[0], dict.fromkeys(known))
