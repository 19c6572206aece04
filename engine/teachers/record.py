"""One record per teacher: what it is, what it saw, what it costs, where its weights come from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from engine.files import canonical_hash
from engine.records import Count, Share

_OWN = "own:"  # how the collection of an imported task begins, before its name, where no other is known


@dataclass(frozen=True)
class WeightSource:
    """Where a teacher's weights lie, and the checksum that they must have."""

    # "bundled": a file of this project; "package": a file inside an installed Python package; "added": a file in the
    # teacher's folder of the workspace; "outputs": no weights, but what the network says of one task's images.
    source: str
    sha256: str
    file: str = ""  # bundled: name in assets/teachers; added: name in the teacher's folder
    package: str = ""  # package: name of the import package
    module_file: str = ""  # package: path inside it
    task: str = ""  # outputs: the task whose images they describe
    images: Count = 0  # outputs: length of its image table when they were given
    image_ids: str = ""  # outputs: hash of the ids in it, so that they are never taken for other images


@dataclass(frozen=True)
class TeacherRecord:
    """A source model. Every field is shown on the Teachers page."""

    name: str
    title: str
    architecture: str  # timm's name
    classes: tuple[str, ...]  # the teacher's own classes, in the order of its outputs
    collection: str  # where its training images come from
    parts: tuple[str, ...]  # which parts of the collection it saw; empty = all of it
    input_size: Count  # 0 where its network is not here; pixels, square: the size at which it is run here
    mean: tuple[float, float, float]  # of the normalization, for pixels in 0..1
    std: tuple[float, float, float]
    resize: str  # how its training images became square
    init: str  # "imagenet" or "random" start of its training; "published" = trained by others
    training_images: Count | None  # None where nobody says, as in the next two
    held_out_images: Count | None
    held_out_accuracy: Share | None  # 0..1, top-1
    accuracy_source: str  # "measured" by this project's scripts, "published", or "unknown"
    accuracy_note: str
    parameters: Count  # with its own classification head; 0 where its network is not here, as in the next one
    gflops: float  # multiply-accumulates / 1e9 of one image at input_size, as timm counts
    gflops_note: str
    license: str
    seed: int | None
    command: str  # what made it
    weights: WeightSource
    origin: str = "bundled"  # or "timm", "checkpoint", "outputs": which way a user added it
    further_collections: tuple[str, ...] = ()  # others that its training images came from, such as of its first weights
    model_args: tuple[tuple[str, Any], ...] = ()  # arguments of the architecture beyond its classes
    added: str = ""  # when a user added it: UTC, ISO 8601
    source: str = ""  # where its weights were published
    pooling: str = ""  # how places become one vector, as timm calls it; empty where that is the architecture's own way
    notes: tuple[str, ...] = ()  # what was decided for the user when it was added, in sentences

    @property
    def has_network(self) -> bool:
        """Whether it can look at images; otherwise only its outputs for one task are here."""
        return self.weights.source != "outputs"

    @property
    def has_pseudo_labels(self) -> bool:
        """Whether it has classes of its own. Of all methods DistillConsensus alone hears one without."""
        return bool(self.classes)

    @property
    def key(self) -> str:
        """Names this teacher's outputs in the feature cache: a hash of weights and transform."""
        identity = [self.weights.sha256, self.architecture, self.input_size, list(self.mean), list(self.std)]
        return canonical_hash([*identity, *([list(map(list, self.model_args))] if self.model_args else [])], length=10)


def relation(teacher: TeacherRecord, collection: str, parts: tuple[str, ...]) -> str:
    """How a teacher's training images relate to a task's: "other" collection, "disjoint" parts of the same collection
    (allowed, and said so), or the "same" images (refused: what it knows of them would be leakage).
    """
    if any(same_collection(seen, collection) for seen in teacher.further_collections):
        return "same"
    if not same_collection(teacher.collection, collection):
        return "other"
    if teacher.parts and parts and not set(teacher.parts) & set(parts):
        return "disjoint"
    return "same"


def same_collection(first: str, second: str) -> bool:
    """Whether two names are of one collection: capitals, blanks, dashes and underscores do not count, and a user's own
    task is a collection by its name as well.

    >>> same_collection("CIFAR 10", "cifar-10"), same_collection("leaves", "own:leaves"), same_collection("a", "b")
    (True, True, False)
    """
    return not _spellings(first).isdisjoint(_spellings(second))


def _spellings(name: str) -> set[str]:
    plain = re.sub(r"[\s_\-\u2010-\u2015]+", "", unicodedata.normalize("NFKC", name).casefold())
    return {plain, plain.removeprefix(_OWN)}
