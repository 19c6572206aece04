"""What a check works with: findings with their choices, decisions, and labels and split as they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError, UnknownNameError
from engine.review.splitting import OUT, TEST_SHARE, hold_out, joined_units
from engine.tasks.facts import Facts, ImportSummary
from engine.wording import percent

SPLIT_METHODS = ("given", "stratified", "by-group")
SHOWN = 48  # rows that a finding names for a look


@dataclass(frozen=True)
class Remedy:
    """One thing that may be done about a finding."""

    key: str
    title: str


@dataclass(frozen=True)
class Finding:
    """Something that the check found. Its `choice` is in force: the user's, or else the default."""

    key: str
    severity: str  # "problem" (spoils a result), "warning" or "note"
    title: str
    text: str  # what it means, in a sentence or two
    count: int  # of images, classes, groups or files, as the title says
    choices: tuple[Remedy, ...]
    default: str
    choice: str
    decided: bool  # by the user, not by default
    rows: tuple[int, ...] = ()  # some of the images, for a look
    clusters: tuple[tuple[int, ...], ...] = ()  # some of the images that belong together, for a look
    names: tuple[tuple[str, str], ...] = ()  # files or classes with a remark


@dataclass(frozen=True)
class Decisions:
    """What the user decided; where nothing is said, defaults hold."""

    findings: Mapping[str, str] = field(default_factory=dict)  # finding -> choice
    split: str = ""  # one of SPLIT_METHODS; "" = the default for these images
    test_share: float = TEST_SHARE
    seed: int = 0  # of the draw of test images

    def __post_init__(self) -> None:
        """Refuse what cannot be decided."""
        if self.split not in ("", *SPLIT_METHODS):
            raise UnknownNameError("kind of split", self.split, SPLIT_METHODS)
        if not 0 < self.test_share < 1:
            raise InvalidInputError(
                f"{self.test_share} is no share of test images: choose one from 0 to 1, such as 0.2."
            )


@dataclass(frozen=True)
class Review:
    """What the check found, and what labels and split come to."""

    findings: tuple[Finding, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]  # [images], index into classes, -1 for unlabeled
    splits: NDArray[np.str_]  # [images], "train", "test" or "out"
    split_method: str
    split_rule: str  # in words
    left_out: tuple[tuple[str, int], ...] = ()  # why images take no part, and how many


HELD_BACK = "held out by the source itself, without a label"
WITH_A_TEST_IMAGE = "unlabeled, and copies of a test image or of its group"


class Checking:
    """The state of one review: labels and splits as they become."""

    def __init__(
        self,
        facts: Facts,
        about: ImportSummary,
        classes: list[str],
        labels: NDArray[np.int64],
        given: NDArray[np.str_],
        decisions: Decisions,
    ) -> None:
        self.facts, self.about, self.classes, self.labels, self.given = facts, about, classes, labels, given
        self.known = labels >= 0  # before a decision took a label away
        self.decisions = decisions
        self.findings: list[Finding] = []
        self.splits = np.full(len(labels), "train", dtype="<U5")
        self.method, self.rule = "", ""
        self.left_out_later: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # once there is a split
        self.held_back: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # by the source, without a label
        self.why_out: dict[str, int] = {}  # why images take no part -> how many
        self.dropped: set[int] = set()  # classes that were decided to take no part, or to be another one's spelling

    def find(self, key: str, severity: str, title: str, text: str, count: int, **rest: Any) -> str:
        """Note a finding and give the choice in force. `choices`: pairs of key and title; `default`: one of them."""
        choices = tuple(Remedy(k, t) for k, t in rest.pop("choices", (("accept", "Accept"),)))
        default = rest.pop("default", choices[0].key)
        chosen = self.decisions.findings.get(key)
        if chosen is not None and chosen not in [c.key for c in choices]:
            raise UnknownNameError(f"choice for {key!r}", chosen, [c.key for c in choices])
        choice = chosen or default
        rows = tuple(int(row) for row in rest.pop("rows", ())[:SHOWN])
        self.findings.append(
            Finding(key, severity, title, text, count, choices, default, choice, chosen is not None, rows, **rest)
        )
        return choice

    @property
    def training(self) -> NDArray[np.bool_]:
        """Which images train."""
        return np.asarray(self.splits == "train")

    @property
    def testing(self) -> NDArray[np.bool_]:
        """Which images test: held out, with a label."""
        return np.asarray((self.splits == "test") & (self.labels >= 0))

    def leave_out(self, rows: NDArray[Any], why: str) -> None:
        """Let images take no part; `why` says what they are, as in "59 are further copies of an image"."""
        number = int((self.splits[rows] != OUT).sum())
        if number:
            self.why_out[why] = self.why_out.get(why, 0) + number
        self.splits[rows] = OUT

    def out(self) -> tuple[tuple[str, int], ...]:
        """Why images take no part, and how many for each reason, by the first one that an image had."""
        waiting = int((self.splits[self.held_back] == "test").sum())
        return tuple((why, number) for why, number in {HELD_BACK: waiting, **self.why_out}.items() if number)

    def keep_given(self) -> None:
        """Take over the source's own split."""
        self.method, self.rule = "given", "The source's own split."
        self.splits = np.where(self.given == "test", "test", "train").astype("<U5")
        self._keep_out()

    def draw(self, method: str) -> None:
        """Draw which images test, so that copies share a side."""
        self.method = method
        kinds = [self.facts.same, self.facts.alike]
        if method == "by-group":
            kinds.append(self.facts.group_numbers)
        self.splits = hold_out(self.labels, joined_units(*kinds), self.decisions.test_share, self.decisions.seed)
        share = percent(self.decisions.test_share, 0)
        by = "whole groups" if method == "by-group" else "images drawn at random"
        self.rule = f"About {share} of the labeled images of each class, {by}; copies are never on both sides."
        self._keep_out()

    def _keep_out(self) -> None:
        """What takes no part whatever the split is."""
        self.splits[self.held_back] = "test"  # a test image without a label is never looked at
        self.why_out = {WITH_A_TEST_IMAGE: int((self.splits == OUT).sum())}
        self.leave_out(self.left_out_later, "copies with different labels")

    def clusters(self, of: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
        """Some of the rows, those that belong together side by side."""
        found: dict[int, list[int]] = {}
        for row in rows:
            cluster = found.setdefault(int(of[row]), []) if len(found) < SHOWN or int(of[row]) in found else None
            if cluster is not None and len(cluster) < 8:
                cluster.append(int(row))
        return tuple(tuple(cluster) for cluster in found.values())

    def counts(self, where: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many images of each class are there, `[classes]`."""
        labels = self.labels[where]
        return np.bincount(labels[labels >= 0], minlength=len(self.classes))


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: (1, "image", "images") -> "1 image"."""
    return f"{number:,} {one if number == 1 else many}"
