"""Adding pretrained weights: of timm's registry, or of any repository of the hub that holds a timm network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import timm
from timm.models import PretrainedCfg

from engine.errors import DamagedFileError, InvalidInputError, UnavailableError
from engine.jobs import IMPORT, Job, Reporter, request
from engine.teachers.about import (
    MOST_CLASSES,
    TeacherDescription,
    checked_size,
    completed,
    description_from,
    three_numbers,
)
from engine.teachers.catalogue import check_free
from engine.teachers.checkpoint import read_weights
from engine.teachers.configured import pooling_arguments
from engine.teachers.hub import (
    CONFIG_FILE,
    HUB_FILE,
    NoSuchFileError,
    Progress,
    hub_file,
    local_file,
    silent,
)
from engine.teachers.install import checked_record, install_network, job_progress
from engine.teachers.model import check_architecture
from engine.teachers.pretrained import (
    Pretrained,
    class_names,
    collections_of,
    configuration,
    get_pretrained,
    pretrained,
    recommended,
)
from engine.teachers.record import TeacherRecord
from engine.workspace import Workspace

KIND = "add-hub"
HUB_FILES = (HUB_FILE, "pytorch_model.bin")
LARGEST_CONFIG = 16 * 2**20  # bytes; ours: ten times that of a network with 10,000 classes


def request_hub(
    workspace: Workspace, name: str, about: TeacherDescription, size: int | None, pooling: str | None = None
) -> Job:
    """Queue the adding of pretrained weights: a name of timm's registry, or `owner/name` on the hub.

    Raises UnavailableError for a visitor of a demo, who downloads nothing.
    """
    workspace.refuse_visitors("Adding a teacher", "use the teachers that are here")
    spec = {"name": name, "about": asdict(about), "size": size, "pooling": pooling}
    return request(workspace.jobs, "add-teacher", kind=KIND, spec=spec, device="cpu", lane=IMPORT)


def execute_hub(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    spec = job.spec
    add_from_hub(
        workspace,
        spec["name"],
        description_from(spec["about"]),
        spec["size"],
        job_progress(report),
        pooling=spec.get("pooling"),
    )


def add_from_hub(
    workspace: Workspace,
    name: str,
    about: TeacherDescription,
    size: int | None = None,
    progress: Progress | None = None,
    *,
    pooling: str | None = None,
) -> TeacherRecord:
    """Add pretrained weights: `name` is timm's (architecture.tag) or a repository (owner/name) with a timm network.

    The weights come from `workspace.hub`, the hub's cache, or the internet. `size`: pixels at which it will be run; its
    own by default, as `pooling`. Raises UnknownNameError, UnavailableError that says what to copy where,
    InvalidInputError, DamagedFileError.
    """
    progress = progress or silent
    known = next((r for r in recommended() if name in (r.name, r.repository)), None)
    bare = name.removeprefix("timm/")
    in_registry = "/" not in name or bare in {entry.name for entry in pretrained()}
    found = _from_registry(bare) if in_registry else _from_repository(workspace, name, progress)
    collections = known.collections if known else found.collections
    about = completed(
        about,
        title=known.title if known else found.name,
        collections=collections or (f"unknown: {found.name}",),
        license=(known.license if known else "") or found.license or "not stated by timm",
    )
    check_free(workspace, about.name, about.title)
    size = checked_size(size or found.size)
    arguments = {**found.arguments, **pooling_arguments(found.architecture, pooling)}
    if found.fixed_size and size != found.size:
        arguments["img_size"] = size
    path = _weights(workspace, found.repository, found.files, progress)
    progress(0, 3, "steps", "Reading the weights")
    state = read_weights(path, path.name)
    progress(1, 3, "steps", "Building the network")
    model = _loaded(found, state, arguments, path)
    record = checked_record(
        about,
        model,
        architecture=found.architecture,
        classes=found.classes,
        size=size,
        mean=found.mean,
        std=found.std,
        arguments=arguments,
        origin="timm",
        source=f"https://huggingface.co/{found.repository}",
        command=f"python -m engine teachers add {name} --size {size}" + (f" --pooling {pooling}" if pooling else ""),
        progress=progress,
    )
    return install_network(workspace, record, model)


def weights_here(workspace: Workspace, name: str) -> bool:
    """Whether the weights that `add_from_hub` would take are on this machine. Raises as it does for the name."""
    bare = name.removeprefix("timm/")
    if bare not in {entry.name for entry in pretrained()}:
        return (
            any(local_file(workspace, name, file) for file in HUB_FILES)
            and local_file(workspace, name, CONFIG_FILE) is not None
        )
    entry, _, files = _of_registry(bare)
    return any(local_file(workspace, entry.repository, file) for file in files)


@dataclass(frozen=True)
class _Found:
    """Pretrained weights and how their network is built."""

    name: str
    architecture: str
    repository: str
    files: tuple[str, ...]
    license: str
    size: int
    fixed_size: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    collections: tuple[str, ...]
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]


def _of_registry(name: str) -> tuple[Pretrained, dict[str, Any], tuple[str, ...]]:
    """What timm knows of weights, and the files that may hold them. Raises WorkbenchError for those it cannot give."""
    entry = get_pretrained(name)
    if not entry.repository:
        raise UnavailableError(f"timm names no repository for the weights {entry.name!r}: choose other ones.")
    if not entry.usable:
        raise InvalidInputError(f"{entry.name!r} gives no vector of features per image: choose other weights.")
    config = configuration(entry.name)
    file = config.get("hf_hub_filename")
    if isinstance(config.get("custom_load"), str) and not file:
        raise UnavailableError(
            f"timm loads {entry.name!r} in a way of its own, from no single file: choose other ones."
        )
    return entry, config, (file,) if file else HUB_FILES


def _from_registry(name: str) -> _Found:
    entry, config, files = _of_registry(name)
    return _Found(
        name=entry.name,
        architecture=entry.name,
        repository=entry.repository,
        files=files,
        license=entry.license,
        size=entry.size,
        fixed_size=bool(config.get("fixed_input_size")),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        classes=class_names(config),
        collections=entry.collections,
        arguments={},
        config=config,
    )


def _from_repository(workspace: Workspace, repository: str, progress: Progress) -> _Found:
    path = hub_file(workspace, repository, CONFIG_FILE, progress)
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise DamagedFileError(f"{path} is larger than the {LARGEST_CONFIG:,} bytes allowed: copy it again.")
        value = json.loads(path.read_bytes())
        given = dict(value.get("pretrained_cfg") or value)
        architecture = str(value["architecture"])
        given |= {k: value[k] for k in ("num_classes", "label_names", "label_descriptions") if value.get(k) is not None}
        arguments = dict(value.get("model_args") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFileError(
            f"{path} describes no timm network ({type(error).__name__}: {error}): copy it from {repository} again, or "
            "choose a repository whose library is timm."
        ) from error
    check_architecture(architecture)
    if wrong := [k for k, v in arguments.items() if not isinstance(v, bool | int | float | str)]:
        raise InvalidInputError(f"{repository} needs the arguments {', '.join(wrong)}, which cannot be given here.")
    known = set(PretrainedCfg.__dataclass_fields__) - _NOT_TAKEN
    config = {**configuration(architecture), **{k: v for k, v in given.items() if k in known}}
    try:
        return _Found(
            name=repository.partition("/")[2],
            architecture=architecture,
            repository=repository,
            files=HUB_FILES,
            license=str(given.get("license") or ""),
            size=int(config["input_size"][-1]),
            fixed_size=bool(config.get("fixed_input_size")),
            mean=three_numbers(config["mean"]),
            std=three_numbers(config["std"]),
            classes=_classes_or_numbers(config),
            collections=collections_of(str(config.get("tag") or "")),
            arguments=arguments,
            config=config,
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedFileError(f"{path} lacks size, mean or standard deviation ({error}): copy it again.") from error


_NOT_TAKEN = {"url", "file", "state_dict", "hf_hub_id", "source", "custom_load"}  # of a repository's configuration


def _classes_or_numbers(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes; where a repository does not name them, "class 0" and so on."""
    count = int(config.get("num_classes") or 0)
    if not 0 <= count <= MOST_CLASSES:
        raise ValueError(f"{count} classes")
    names = class_names(dict(config)) or tuple(f"class {number}" for number in range(count))
    return names if len(names) > 1 else ()


def _weights(workspace: Workspace, repository: str, files: Sequence[str], progress: Progress) -> Path:
    """The file with a repository's weights: what is here first, then what can be downloaded."""
    for file in files:
        if (here := local_file(workspace, repository, file)) is not None:
            return here
    for file in files:
        try:
            return hub_file(workspace, repository, file, progress)
        except NoSuchFileError:
            continue
    raise UnavailableError(
        f"The repository {repository} has no file {' or '.join(files)}: choose other weights, or copy such a file to "
        f"{workspace.hub / repository}."
    )


def _loaded(found: _Found, state: Mapping[str, Any], arguments: Mapping[str, Any], path: Path) -> Any:
    """The network with its weights. timm loads them, because it also renames and resizes what older files hold."""
    options = {"pretrained": True, "num_classes": len(found.classes), **arguments}
    try:
        if found.architecture == found.name:
            overlay = {"state_dict": dict(state), "custom_load": False}
            model: Any = timm.create_model(found.name, pretrained_cfg_overlay=overlay, **options)
        else:
            config = {**found.config, "state_dict": dict(state), "custom_load": False, "source": None}
            model = timm.create_model(found.architecture, pretrained_cfg=config, **options)
    except Exception as error:  # each architecture loads in its own way
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DamagedFileError(
            f"{path} does not hold the weights of {found.name} ({reason[:200]}): copy it again."
        ) from error
    return model
