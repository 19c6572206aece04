"""timm's registry of pretrained networks, searchable without the internet, and teachers that are worth adding."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import timm
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

from engine.errors import DamagedFileError, UnknownNameError
from engine.files import read_json
from engine.installation import bundled
from engine.teachers.model import LONGEST_NAME
from engine.teachers.weights import IMAGENET

FOLDER = bundled("registry")
UNKNOWN_LICENSES = ("", "unknown")
# What the parts of timm's tags say of the training images. The first part of a tag that is listed here decides.
COLLECTIONS = {
    "in1k": IMAGENET,
    "in12k": "imagenet-12k",
    "in21k": "imagenet-21k",
    "in22k": "imagenet-21k",
    "inw21k": "imagenet-21k",
    "sat493m": "sat-493m",
    "lvd142m": "lvd-142m",
    "lvd1689m": "lvd-1689m",
    "openai": "openai-wit",
    "laion2b": "laion-2b",
    "laiona": "laion-2b",
    "laion400m": "laion-400m",
    "datacompxl": "datacomp-xl",
    "datacomp1b": "datacomp-xl",
    "dfn2b": "dfn",
    "dfn5b": "dfn",
    "webli": "webli",
    "merged2b": "merged-2b",
    "metaclip": "metaclip",
    "metaclip2": "metaclip",
    "yfcc15m": "yfcc100m",
    "yfcc100m": "yfcc100m",
    "cc12m": "cc12m",
    "sa1b": "sa-1b",
    "ig1b": "instagram-1b",
    "swag": "instagram-3.6b",
    "inat21": "inaturalist-2021",
}
# The larger releases of ImageNet hold the images of the smaller one; these sets were gathered with its help.
CONTAINED = {"imagenet-12k": (IMAGENET,), "imagenet-21k": (IMAGENET,), "lvd-142m": (IMAGENET, "imagenet-21k")}


@dataclass(frozen=True)
class Pretrained:
    """One set of pretrained weights that timm knows."""

    name: str  # architecture.tag
    architecture: str
    tag: str
    repository: str  # on the hub; empty where timm names none
    license: str  # empty where timm does not say
    size: int  # pixels: the input size it was trained for
    classes: int  # that can be named; 0 where the network has none, or they are no classes of images
    parameters: int | None  # None where this version of timm is newer than the table of costs
    gflops: float | None  # multiply-accumulates / 1e9 of one image of `size`
    usable: bool  # whether it gives one vector of features per image
    collections: tuple[str, ...]  # as far as its tag tells; the first is the one it learned from last


@dataclass(frozen=True)
class Recommended:
    """A teacher worth adding, whose source and license were looked up."""

    field: str  # what its images show, such as "satellite"
    repository: str
    name: str  # timm's name where its registry knows it, else the repository
    title: str
    collections: tuple[str, ...]
    license: str
    source: str  # where repository and license were read
    note: str


def search(
    text: str = "",
    *,
    most_parameters: float | None = None,
    most_gflops: float | None = None,
    sizes: tuple[int, int] | None = None,
    licenses: Sequence[str] | None = None,
    with_classes: bool = False,
) -> list[Pretrained]:
    """The pretrained networks whose name, collections or license hold every word of `text`, cheapest first.

    Limits leave out what is above them and what is not known; `most_parameters` in millions, `sizes` in pixels,
    `licenses` as timm writes them, "" for those it does not state. Only usable ones are given.
    """
    words = text.lower().split()

    def fits(entry: Pretrained) -> bool:
        told = " ".join((entry.name, entry.license, *entry.collections)).lower()
        return (
            entry.usable
            and all(word in told for word in words)
            and _within(entry.parameters, None if most_parameters is None else most_parameters * 1e6)
            and _within(entry.gflops, most_gflops)
            and (sizes is None or sizes[0] <= entry.size <= sizes[1])
            and (licenses is None or entry.license in licenses)
            and (not with_classes or entry.classes > 0)
        )

    return sorted(filter(fits, pretrained()), key=lambda e: (e.gflops is None, e.gflops, e.parameters, e.name))


def get_pretrained(name: str) -> Pretrained:
    """The weights that timm calls `name`; an architecture alone means its default weights. Raises UnknownNameError."""
    by_name = _by_name()
    if name in by_name:
        return by_name[name]
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) and "." not in name else None
    full = f"{name}.{config.tag}" if config is not None and config.tag else name
    if full not in by_name:
        raise UnknownNameError("set of pretrained weights", name[:LONGEST_NAME], by_name)
    return by_name[full]


@cache
def pretrained() -> tuple[Pretrained, ...]:
    """All pretrained networks that the installed timm knows, by name."""
    costs = _costs()
    return tuple(_entry(name, costs) for name in sorted(timm.list_models(pretrained=True)))


@cache
def _by_name() -> dict[str, Pretrained]:
    return {entry.name: entry for entry in pretrained()}


@cache
def architectures() -> list[str]:
    """Names of all architectures that timm can build, sorted."""
    return sorted(timm.list_models())


def known_licenses() -> list[str]:
    """Licenses that timm states, the most frequent first; "" stands for those it does not state."""
    found = [entry.license for entry in pretrained() if entry.usable]
    return sorted(set(found), key=lambda license: (-found.count(license), license))


@cache
def recommended() -> tuple[Recommended, ...]:
    """Teachers from fields that are far apart, by field. Raises DamagedFileError."""
    path = FOLDER / "recommended.json"
    try:
        return tuple(Recommended(**{**e, "collections": tuple(e["collections"])}) for e in read_json(path)["teachers"])
    except (TypeError, KeyError) as error:
        raise DamagedFileError(f"{path} is damaged ({error}): restore it from the repository.") from error


def class_names(config: dict[str, Any]) -> tuple[str, ...]:
    """Names of a network's own classes, from its configuration or from timm's lists of ImageNet; () if it has none.

    A head that projects into a space of texts, as CLIP's does, has no classes.
    """
    count = int(config.get("num_classes") or 0)
    if not count:
        return ()
    names = config.get("label_names")
    if isinstance(names, dict):
        names = [names.get(str(i), names.get(i)) for i in range(count)]
    if isinstance(names, list | tuple) and len(names) == count and all(isinstance(name, str) for name in names):
        described = config.get("label_descriptions")
        if isinstance(described, dict):
            names = [described.get(name) or name for name in names]
        return tuple(str(name) for name in names)
    subset = infer_imagenet_subset({**config, "num_classes": count})
    if subset is None:
        return ()
    info: Any = ImageNetInfo(subset)
    described = [info.index_to_description(i) for i in range(len(info.label_names()))]
    return tuple(described) if len(described) == count else ()


def configuration(name: str) -> dict[str, Any]:
    """What timm says of a set of pretrained weights, or of an architecture's default ones; {} if it says nothing."""
    config: Any = timm.get_pretrained_cfg(name)
    return {} if config is None else dict(config.to_dict())


def collections_of(tag: str) -> tuple[str, ...]:
    """Collections that a tag of timm's names, the one it learned from last first; () if it names none we know."""
    parts = [part for part in tag.replace("-", "_").split("_") if part in COLLECTIONS]
    found = [COLLECTIONS[part] for part in reversed(parts)]
    return tuple(dict.fromkeys([*found, *(inner for name in found for inner in CONTAINED.get(name, ()))]))


def _entry(name: str, costs: dict[str, tuple[int, float, int]]) -> Pretrained:
    config: Any = timm.get_pretrained_cfg(name)  # not as a dict, which for all of them would take half a second
    architecture, _, tag = name.partition(".")
    repository = config.hf_hub_id or ""
    parameters, gflops, width = costs.get(name, (None, None, 1))
    license = config.license or ""
    return Pretrained(
        name=name,
        architecture=architecture,
        tag=tag,
        repository=f"{repository}{name}" if repository.endswith("/") else repository,
        license="" if license in UNKNOWN_LICENSES else license,
        size=int(config.input_size[-1]),
        classes=_named_classes(int(config.num_classes or 0)),
        parameters=parameters,
        gflops=gflops,
        usable=bool(repository and width),
        collections=collections_of(tag),
    )


def _named_classes(count: int) -> int:
    return count if infer_imagenet_subset({"num_classes": count}) is not None else 0


@cache
def _costs() -> dict[str, tuple[int, float, int]]:
    """Parameters, GFLOPs and width of the features by name, as `python -m assets.build registry` counted them."""
    path = FOLDER / "costs.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                row["name"]: (int(row["parameters"]), float(row["gflops"]), int(row["width"]))
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path} is damaged ({error}): restore it from the repository.") from error


def _within(value: float | None, most: float | None) -> bool:
    return most is None or (value is not None and value <= most)
