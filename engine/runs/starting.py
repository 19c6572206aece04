"""The weights that a run's student begins with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from engine.runs.spec import RunSpec, check_teachers
from engine.teachers import averaged_weights, imagenet_state
from engine.training import StartWeights
from engine.workspace import Workspace


def first_weights(
    workspace: Workspace, spec: RunSpec, alpha: Mapping[str, float]
) -> tuple[StartWeights, dict[str, float]]:
    """Where the student's first weights come from, and the share of each teacher in them: none in ImageNet weights.

    alpha: weights of the teachers that teach. Raises as `check_teachers`; UnavailableError or DamagedFileError for
    weights that cannot be had.
    """
    if spec.train.start == "random" or not spec.settings.starts_from_teachers:
        return partial(imagenet_state, workspace), {}
    check_teachers(workspace, spec)
    found = averaged_weights(workspace, alpha, spec.train.architecture)
    return partial(_of, found.state), dict(found.shares)


def _of(state: Mapping[str, Tensor], architecture: str) -> Mapping[str, Tensor]:
    """Weights that were made for this architecture."""
    return state
