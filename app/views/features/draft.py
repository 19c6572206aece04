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
    """kind: of the map. classes: highlighted ones, by task. slots: the job that draws, by revision and teacher; whole:
    the one that draws all images.
    """

    kind: str = "umap"
    tool: str = "Pick"
    classes: dict[str, list[str]] = field(default_factory=dict)
    slots: defaultdict[tuple[str, str], JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    whole: defaultdict[tuple[str, str], JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    picked: Picked = Picked()
