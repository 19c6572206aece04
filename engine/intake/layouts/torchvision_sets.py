"""Data sets of torchvision by name, downloaded where there is internet."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from engine.errors import InvalidInputError, UnavailableError, UnknownNameError
from engine.files import canonical_hash, make_folder
from engine.intake.inventory import Inventory, Item, first_line
from engine.tasks.names import clean_text
from engine.workspace import Workspace

PREFIX = "torchvision:"


@dataclass(frozen=True)
class _Set:
    """How a data set names its splits, and where its images come from."""

    collection: str
    splits: tuple[tuple[str, Mapping[str, Any]], ...]  # (our split, arguments)


_BY_TRAIN = (("train", {"train": True}), ("test", {"train": False}))
_BY_SPLIT = (("train", {"split": "train"}), ("test", {"split": "test"}))
_WITH_VAL = (("train", {"split": "train"}), ("train", {"split": "val"}), ("test", {"split": "test"}))

SETS: dict[str, _Set] = {
    "CIFAR10": _Set("cifar10", _BY_TRAIN),
    "CIFAR100": _Set("cifar100", _BY_TRAIN),
    "Country211": _Set("country211", (("train", {"split": "train"}), ("train", {"split": "valid"}), _BY_SPLIT[1])),
    "DTD": _Set("dtd", _WITH_VAL),
    "EuroSAT": _Set("eurosat", (("", {}),)),
    "FGVCAircraft": _Set("fgvc-aircraft", (("train", {"split": "trainval"}), ("test", {"split": "test"}))),
    "FashionMNIST": _Set("fashion-mnist", _BY_TRAIN),
    "Flowers102": _Set("flowers102", _WITH_VAL),
    "Food101": _Set("food101", _BY_SPLIT),
    "GTSRB": _Set("gtsrb", _BY_SPLIT),
    "KMNIST": _Set("kmnist", _BY_TRAIN),
    "MNIST": _Set("mnist", _BY_TRAIN),
    "OxfordIIITPet": _Set("oxford-iiit-pet", (("train", {"split": "trainval"}), ("test", {"split": "test"}))),
    "PCAM": _Set("pcam", _WITH_VAL),
    "RenderedSST2": _Set("rendered-sst2", _WITH_VAL),
    "SVHN": _Set("svhn", _BY_SPLIT),
    "STL10": _Set("stl10", (*_BY_SPLIT, ("train", {"split": "unlabeled"}))),
    "USPS": _Set("usps", _BY_TRAIN),
}


def torchvision_inventory(workspace: Workspace, name: str) -> Inventory:
    """The images of a data set of torchvision, downloaded into the workspace if they are not there.

    Raises UnknownNameError, or UnavailableError if it cannot be downloaded.
    """
    if name not in SETS:
        raise UnknownNameError("torchvision data set", name, SETS)
    from torchvision import datasets

    known = SETS[name]
    root = make_folder(workspace.downloads / "torchvision")
    parts = [_open(getattr(datasets, name), root, arguments) for _, arguments in known.splits]
    classes = tuple(clean_text(c) for c in getattr(parts[0], "classes", ()))
    items: list[Item] = []
    for number, ((split, _), part) in enumerate(zip(known.splits, parts, strict=True)):
        labels = _labels(part)
        for row in range(len(part)):
            label = None if labels[row] < 0 else _title(classes, labels[row])
            items.append(Item(f"{split or 'image'}-{number}/{row:06d}", label, split or None, place=(number, row)))

    def read(item: Item) -> bytes:
        number, row = item.place
        image = parts[number][row][0]
        stream = io.BytesIO()
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, "PNG", compress_level=3)
        return stream.getvalue()

    return Inventory(
        layout="torchvision",
        layout_title=f"torchvision's {name}",
        items=items,
        read=read,
        fingerprint=canonical_hash([name, [len(part) for part in parts]], 16),
        classes=classes,
        notes=("The official split is kept.",) if known.splits[0][0] else (f"{name} has no official split.",),
        collection=known.collection,
        license="see the data set's own page",
    )


def _open(kind: Any, root: Path, arguments: Mapping[str, Any]) -> Any:
    for download in (False, True):
        try:
            return kind(str(root), download=download, **arguments)
        except ImportError as error:
            raise InvalidInputError(f"{kind.__name__} needs a package that is not here ({error}).") from error
        except (RuntimeError, OSError, ValueError) as error:  # not there; and then: no internet, or a broken download
            if download:
                raise UnavailableError(
                    f"{kind.__name__} could not be downloaded ({first_line(error)}): try again "
                    f"with internet, or put its files into {root} as torchvision does."
                ) from error
    raise AssertionError("the second attempt returns or raises")


def _title(classes: tuple[str, ...], label: int) -> str:
    return classes[label] if label < len(classes) else str(label)


def _labels(part: Any) -> list[int]:
    """The labels of a data set, without decoding its images where it keeps them in a list."""
    for name in ("targets", "labels", "_labels"):
        values = getattr(part, name, None)
        if values is not None and len(values) == len(part):
            return [int(value) for value in values]
    if hasattr(part, "_samples"):
        return [int(label) for _, label in part._samples]
    return [int(part[row][1]) for row in range(len(part))]
