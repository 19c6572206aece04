"""What Features remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot


@dataclass(frozen=True)
class Picked:
    """signature: of the map on which was picked; its first part is the task. event: what the map said last. rows: the
    images that are shown.
    """

    signature: tuple[object, ...] | None = None
    event: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass
class FeaturesDraft(Draft):
    """view: which part of the page. kind: of the map. by: what its colors say. run: the student they may be of. pair:
    the teachers that are compared, by task. classes: highlighted ones, by task. slots: the job that draws, by revision
    and teacher; whole: the one that draws all images; jobs: others, by what they do.
    """

    view: str | None = None
    kind: str = "umap"
    by: str = "class"
    run: str | None = None
    pair: dict[str, tuple[str, str]] = field(default_factory=dict)
    tool: str = "Pick"
    classes: dict[str, list[str]] = field(default_factory=dict)
    slots: defaultdict[tuple[str, str], JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    whole: defaultdict[tuple[str, str], JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    jobs: defaultdict[str, JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    picked: Picked = Picked()
