"""What Import remembers: what was brought, and what was chosen about it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from app.drafts import Draft, JobSlot
from engine.images import Reading
from engine.intake import ImportRequest


@dataclass
class Choices:
    """What was chosen by hand about a source; what was not is guessed. place: "in-place" or "copy". window, range: the
    two numbers of these ways of reading, kept while another way is tried.
    """

    columns: dict[str, str | None] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    reading: Reading | None = None
    place: str = "in-place"
    window: tuple[float, float] | None = None
    range: tuple[float, float] | None = None


@dataclass
class ImportDraft(Draft):
    """round: a new number makes empty uploaders. since: when `brought` was, in nanoseconds since the epoch. asked: the
    import that this session asked for last. watched: folders of the imports that it saw under way.
    """

    way: str = "files"
    round: int = 0
    brought: ImportRequest | None = None
    since: int = 0
    choices: defaultdict[str, Choices] = field(default_factory=lambda: defaultdict(Choices))
    asked: JobSlot = field(default_factory=JobSlot)
    watched: list[Path] = field(default_factory=list)
