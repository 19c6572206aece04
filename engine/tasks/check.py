"""The check before anything is trained: what is odd in a task's images, labels and split, and what is done about it.

`review` is a function of facts and decisions alone: the same decisions on the same images give the same labels and
split, and taking a decision back gives what was before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError, UnknownNameError
from engine.tasks.facts import About, Facts
from engine.tasks.splitting import OUT, TEST_SHARE, hold_out, joined_units

SPLIT_METHODS = ("given", "stratified", "by-group")
FEW_LABELS = 5  # of a class in training: fewer than the labels per class that methods usually draw
FEW_TEST_IMAGES = 100  # fewer give an accuracy within ± 10 points at best (Wilson, at one half)
IMBALANCE = 10.0  # largest to smallest class
SMALL_SIDE = 32  # pixels
ELONGATED = 3.0  # longer by shorter side
SHOWN = 48  # rows that a finding names for a look
MANY = 0.2  # share of the training images; leaving more out than that is no small mending


@dataclass(frozen=True)
class Choice:
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
    choices: tuple[Choice, ...]
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


def split_methods(facts: Facts, given: NDArray[np.str_]) -> tuple[str, ...]:
    """The kinds of split that these images allow, the default first."""
    methods = ["stratified"]
    if (facts.groups != "").any():
        methods.insert(0, "by-group")
    if (given == "test").any():
        methods.insert(0, "given")
    return tuple(methods)


def review(
    facts: Facts,
    about: About,
    classes: Sequence[str],
    labels: NDArray[np.int64],
    given: NDArray[np.str_],
    decisions: Decisions,
) -> Review:
    """Check images, labels and split, and apply what was decided.

    labels `[images]` are the labels as they came or were set by hand, indices into `classes`; given `[images]` is the
    source's own split: "train", "test" or "". Raises UnknownNameError for a choice that a finding does not offer,
    InvalidInputError for a split that these images do not allow.
    """
    checking = _Checking(facts, about, list(classes), labels.copy(), given, decisions)
    for step in (
        checking.files,
        checking.class_names,
        checking.contradictions,
        checking.split,
        checking.straddling_groups,
        checking.copies_across,
        checking.copies_within,
        checking.appearance,
        checking.class_sizes,
        checking.test_images,
    ):
        step()
    return checking.result()


class _Checking:
    """The state of one review: labels and splits as they become."""

    def __init__(
        self,
        facts: Facts,
        about: About,
        classes: list[str],
        labels: NDArray[np.int64],
        given: NDArray[np.str_],
        decisions: Decisions,
    ) -> None:
        self.facts, self.about, self.classes, self.labels, self.given = facts, about, classes, labels, given
        self.decisions = decisions
        self.findings: list[Finding] = []
        self.splits = np.full(len(labels), "train", dtype="<U5")
        self.method, self.rule = "", ""
        self.dropped: set[int] = set()  # classes that were decided to take no part

    def find(self, key: str, severity: str, title: str, text: str, count: int, **rest: Any) -> str:
        """Note a finding and give the choice in force. `choices`: pairs of key and title; `default`: one of them."""
        choices = tuple(Choice(k, t) for k, t in rest.pop("choices", (("accept", "Accept"),)))
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

    def leave_out(self, rows: NDArray[Any]) -> None:
        """Let images take no part."""
        self.splits[rows] = OUT

    def files(self) -> None:
        """Unreadable files, files that were no images, what the layout dropped, what was done to make RGB."""
        about = self.about
        if about.unreadable_count:
            self.find(
                "unreadable", "warning", _count(about.unreadable_count, "file cannot be read", "files cannot be read"),
                "They are left out. Mend or replace them and import again to have them.",
                about.unreadable_count, names=about.unreadable,
            )  # fmt: skip
        if about.skipped_count:
            self.find(
                "skipped", "note", _count(about.skipped_count, "file or row was skipped", "files or rows were skipped"),
                "They are no images, or were named but not there.", about.skipped_count, names=about.skipped,
            )  # fmt: skip
        if about.notes:
            self.find("layout", "note", f"Read as {about.layout_title}", " ".join(about.notes), len(about.notes))
        if about.steps:
            count = sum(bool(steps) for steps in self.facts.steps)
            steps = tuple((step, _count(number, "image", "images")) for step, number in about.steps.items())
            self.find(
                "conversions", "note", _count(count, "image was converted to RGB", "images were converted to RGB"),
                "Networks look at three channels of 8 bits. What was done is listed.", count, names=steps,
                rows=np.flatnonzero([bool(steps) for steps in self.facts.steps]),
            )  # fmt: skip

    def class_names(self) -> None:
        """Classes whose names differ in case, spaces or punctuation only."""
        by_key: dict[str, list[int]] = {}
        for index, name in enumerate(self.classes):
            key = "".join(c for c in name.casefold() if c.isalnum())
            by_key.setdefault(key or name, []).append(index)
        alike = [indices for indices in by_key.values() if len(indices) > 1]
        if not alike:
            return
        names = tuple((self.classes[group[0]], ", ".join(self.classes[i] for i in group[1:])) for group in alike)
        choice = self.find(
            "class-names", "warning", _count(len(alike), "class has a second spelling", "classes have other spellings"),
            "Their names differ in case, spaces or punctuation only.", len(alike), names=names,
            choices=(("merge", "Make them one class"), ("keep", "Keep them apart")),
        )  # fmt: skip
        if choice == "merge":
            for group in alike:
                self.labels[np.isin(self.labels, group[1:])] = group[0]

    def contradictions(self) -> None:
        """The same content under different labels."""
        known = self.labels >= 0
        highest = np.full(len(self.labels), -1, dtype=np.int64)
        lowest = np.full(len(self.labels), np.iinfo(np.int64).max, dtype=np.int64)
        np.maximum.at(highest, self.facts.same[known], self.labels[known])
        np.minimum.at(lowest, self.facts.same[known], self.labels[known])
        bad = (highest >= 0) & (lowest < highest)
        rows = np.flatnonzero(bad[self.facts.same])
        if not len(rows):
            return
        choice = self.find(
            "contradictions", "problem",
            _count(len(rows), "image has copies with another label", "images are copies with different labels"),
            "At least one of the labels is wrong, and nothing here says which.", len(rows),
            clusters=self._clusters(self.facts.same, rows),
            choices=(("unlabel", "Take their labels away"), ("leave-out", "Leave them out"), ("keep", "Keep them")),
        )  # fmt: skip
        if choice == "unlabel":
            self.labels[rows] = -1
        elif choice == "leave-out":
            self._left_out_later = rows

    _left_out_later: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def split(self) -> None:
        """Which images test: as given, or drawn here so that copies share a side."""
        methods = split_methods(self.facts, self.given)
        self.method = self.decisions.split or methods[0]
        if self.method not in methods:
            raise InvalidInputError(
                f"These images have no split {self.method!r}, for lack of "
                f"{'groups' if self.method == 'by-group' else 'a split of their own'}: choose {' or '.join(methods)}."
            )
        if self.method == "given":
            self.splits = np.where(self.given == "test", "test", "train").astype("<U5")
            self.rule = "The source's own split."
        else:
            self._draw(self.method)
        self.leave_out(self._left_out_later)

    def _draw(self, method: str) -> None:
        self.method = method
        kinds = [self.facts.same, self.facts.alike]
        if method == "by-group":
            kinds.append(self.facts.group_numbers)
        self.splits = hold_out(self.labels, joined_units(*kinds), self.decisions.test_share, self.decisions.seed)
        share = f"{self.decisions.test_share:.0%}"
        by = "whole groups" if method == "by-group" else "images drawn by lot"
        self.rule = f"About {share} of the labeled images of each class, {by}; copies are never on both sides."

    def straddling_groups(self) -> None:
        """Groups with images on both sides of a given split."""
        numbers = self.facts.group_numbers
        both = np.intersect1d(numbers[self.training], numbers[self.testing])
        both = both[both >= 0]
        if not len(both):
            return
        leaking = np.flatnonzero(np.isin(numbers, both) & self.training)
        few = len(leaking) <= MANY * max(1, int(self.training.sum()))
        names = tuple(
            (str(self.facts.groups[np.flatnonzero(numbers == group)[0]]), f"{int((numbers == group).sum())} images")
            for group in both[:SHOWN]
        )
        choice = self.find(
            "groups-across", "problem",
            _count(len(both), "group is on both sides of the split", "groups are on both sides of the split"),
            "A student may know a patient, a site or a video from training, so that the test flatters it.", len(both),
            names=names,
            default="leave-out" if few else "by-group",
            choices=(
                ("by-group", "Draw a new split by whole groups"),
                ("leave-out", f"Leave their {len(leaking):,} training images out"),
                ("keep", "Keep the split as it is"),
            ),
        )  # fmt: skip
        if choice == "by-group":
            self._draw("by-group")
        elif choice == "leave-out":
            self.leave_out(leaking)

    def copies_across(self) -> None:
        """Images that train and have a copy, or a near copy, that tests."""
        exact = np.zeros(len(self.labels), dtype=bool)  # they are told once, not as near copies again
        for key, of, what, text in (
            ("copies-across", self.facts.same, "an exact copy", "The student would be tested on what it was shown."),
            (
                "alike-across",
                self.facts.alike,
                "a near copy",
                "They look the same to the eye.",
            ),
        ):
            both = np.intersect1d(of[self.training], of[self.testing])
            across = np.isin(of, both) & (self.training | self.testing) & ~exact
            rows = np.flatnonzero(across & self.training)
            if not len(rows):
                continue
            if key == "copies-across":
                exact = across.copy()
            title = _count(
                len(rows), f"training image has {what} in the test", f"training images have {what} in the test"
            )
            choice = self.find(
                key, "problem", title, text, len(rows),
                clusters=self._clusters(of, np.flatnonzero(across)),
                choices=(
                    ("leave-out-training", "Leave the training images out"),
                    ("leave-out-test", "Leave the test images out"),
                    ("keep", "Keep both"),
                ),
            )  # fmt: skip
            if choice == "leave-out-training":
                self.leave_out(rows)
            elif choice == "leave-out-test":
                self.leave_out(np.flatnonzero(across & self.testing))

    def copies_within(self) -> None:
        """Copies on one side of the split."""
        exact = np.empty(0, dtype=np.int64)
        for key, of, what, default in (
            ("copies", self.facts.same, "exact", "keep-one"),
            ("alike", self.facts.alike, "near", "keep"),
        ):
            extra = np.setdiff1d(self._extra(of), exact)
            if not len(extra):
                continue
            exact = extra
            choice = self.find(
                key, "warning" if key == "copies" else "note",
                _count(len(extra), f"image is a {what} copy of another one", f"images are {what} copies of others"),
                "Copies on the same side of the split count an image twice." if key == "copies" else
                "Frames of a video or resized copies are usual; in the test they count an image twice.",
                len(extra), clusters=self._clusters(of, np.flatnonzero(np.isin(of, of[extra]) & (self.splits != OUT))),
                choices=(("keep-one", "Keep one of each"), ("keep", "Keep all")), default=default,
            )  # fmt: skip
            if choice == "keep-one":
                self.leave_out(extra)

    def _extra(self, of: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows whose cluster has an earlier image on the same side; a labeled image comes before an unlabeled one."""
        rows = np.flatnonzero(self.splits != OUT)
        order = rows[np.argsort(self.labels[rows] < 0, kind="stable")]
        side = (self.splits[order] == "test").astype(np.int64)
        _, first = np.unique(of[order] * 2 + side, return_index=True)
        keep = np.zeros(len(order), dtype=bool)
        keep[first] = True
        return np.sort(order[~keep])

    def _clusters(self, of: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
        found: dict[int, list[int]] = {}
        for row in rows:
            cluster = found.setdefault(int(of[row]), []) if len(found) < SHOWN or int(of[row]) in found else None
            if cluster is not None and len(cluster) < 8:
                cluster.append(int(row))
        return tuple(tuple(cluster) for cluster in found.values())

    def appearance(self) -> None:
        """Images of one color, tiny ones, and very long ones."""
        facts = self.facts
        short, long = np.minimum(facts.widths, facts.heights), np.maximum(facts.widths, facts.heights)
        here = self.splits != OUT
        largest = int(short.max()) if len(short) else 0
        for key, mask, one, many, text in (
            ("flat", facts.flat, "image shows nothing", "images show nothing", "They have one color all over."),
            (
                "small", (short < SMALL_SIDE) & (largest >= SMALL_SIDE), "image is very small", "images are very small",
                f"Their shorter side has fewer than {SMALL_SIDE} pixels, while others have up to {largest:,}.",
            ),
            (
                "elongated", long > ELONGATED * short, "image is very long", "images are very long",
                f"One side is more than {ELONGATED:g} times the other: squashing distorts it, cropping loses most.",
            ),
        ):  # fmt: skip
            rows = np.flatnonzero(mask & here)
            if not len(rows):
                continue
            choices = (("keep", "Keep them"), ("leave-out", "Leave them out"))
            severity = "warning" if key == "flat" else "note"
            if (
                self.find(key, severity, _count(len(rows), one, many), text, len(rows), rows=rows, choices=choices)
                != "keep"
            ):
                self.leave_out(rows)

    def class_sizes(self) -> None:
        """Classes without, or with few, labeled training images; imbalance."""
        counts = self._counts(self.training)
        everywhere = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        by_hand = not (everywhere > 0).any()  # named for labeling; nothing has a label yet
        empty = np.flatnonzero((counts == 0) & ~by_hand)
        if len(empty):
            waiting = bool((self.training & (self.labels < 0)).any())  # unlabeled images may be of these classes
            text = "A student cannot learn them" + (" before some images are labeled so." if waiting else ".")
            order = ("keep", "leave-out") if waiting else ("leave-out", "keep")
            self._class_finding(
                "empty-classes", empty, everywhere, "warning" if waiting else "problem",
                "has no labeled training image", "have no labeled training image", text, order,
            )  # fmt: skip
        few = np.flatnonzero((counts > 0) & (counts < FEW_LABELS))
        if len(few):
            self._class_finding(
                "few-labels", few, counts, "warning", f"has fewer than {FEW_LABELS} labeled training images",
                f"have fewer than {FEW_LABELS} labeled training images",
                "All that they have are used; their similarity and accuracy will be uncertain.", ("keep", "leave-out"),
            )  # fmt: skip
        counts = self._counts(self.training)
        present = counts[counts > 0]
        if len(present) > 1 and present.max() >= IMBALANCE * present.min():
            most, least = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max()).argmin())
            self.find(
                "imbalance", "note", f"The largest class has {present.max() / present.min():.0f} times the smallest",
                f"{self.classes[most]!r} has {counts[most]:,} labeled training images, {self.classes[least]!r} has "
                f"{counts[least]:,}. As many labels of each class are drawn; unlabeled images stay as they are.",
                int(present.max()),
            )  # fmt: skip

    def _class_finding(
        self, key: str, which: NDArray[np.int64], counts: NDArray[np.int64], severity: str, one: str, many: str,
        text: str, order: tuple[str, str],
    ) -> None:  # fmt: skip
        titles = {"keep": "Keep the classes", "leave-out": "Leave the classes and their images out"}
        names = tuple((self.classes[i], _count(int(counts[i]), "image", "images")) for i in which[:1000])
        title = _count(len(which), f"class {one}", f"classes {many}")
        choices = tuple((choice, titles[choice]) for choice in order)
        if self.find(key, severity, title, text, len(which), names=names, choices=choices) == "leave-out":
            rows = np.flatnonzero(np.isin(self.labels, which))
            self.leave_out(rows)
            self.labels[rows] = -1
            self.dropped.update(int(i) for i in which)

    def _counts(self, where: NDArray[np.bool_]) -> NDArray[np.int64]:
        labels = self.labels[where]
        return np.bincount(labels[labels >= 0], minlength=len(self.classes))

    def test_images(self) -> None:
        """Whether the test can tell anything."""
        tested = self._counts(self.testing)
        kept = [i for i in range(len(self.classes)) if i not in self.dropped]
        trained = self._counts(self.training)
        untested = [i for i in kept if tested[i] == 0 and trained[i] > 0]
        total = int(tested.sum())
        if total == 0:
            joined = int(trained.sum()) > len(kept)  # there is enough to hold out, if it could be parted
            self.find(
                "no-test", "problem", "No image is held out for the test",
                "Teachers can be ranked, but no accuracy can be told: "
                + ("copies and groups tie all labeled images together. Label images of other groups, or draw by lot."
                   if joined else "label more images."), 0,
            )  # fmt: skip
            return
        if total < FEW_TEST_IMAGES:
            self.find(
                "few-test-images", "warning", f"Only {_count(total, 'image tests', 'images test')} the student",
                f"Its accuracy will be uncertain by about ± {98 / np.sqrt(total + 3.84):.0f} points.", total,
            )  # fmt: skip
        if untested:
            names = tuple((self.classes[i], f"{trained[i]} in training") for i in untested[:1000])
            self.find(
                "untested-classes", "warning",
                _count(len(untested), "class has no test image", "classes have no test image"),
                "They are learned, but their accuracy is not measured.", len(untested), names=names,
            )  # fmt: skip

    def result(self) -> Review:
        """Labels with the classes that remain."""
        merged = {i for i in range(len(self.classes)) if i not in self.dropped}
        if self._was_merged():
            present = set(np.unique(self.labels[self.labels >= 0]).tolist())
            spellings = self._other_spellings()
            merged = {i for i in merged if i in present or i not in spellings}
        kept = sorted(merged)
        if len(kept) < 2:
            names = ", ".join(repr(self.classes[i]) for i in kept) or "none"
            raise InvalidInputError(
                f"A task needs at least two classes with labeled images; here {'is' if len(kept) == 1 else 'are'} "
                f"{names}: check how the images are sorted or labeled."
            )
        number = np.full(len(self.classes) + 1, -1, dtype=np.int64)  # the last one is for -1
        number[kept] = np.arange(len(kept))
        labels = number[self.labels]
        if not (self.splits == "train").any():
            raise InvalidInputError("No image is left to train on: choose another split, or accept more findings.")
        return Review(
            tuple(self.findings), tuple(self.classes[i] for i in kept), labels, self.splits, self.method, self.rule
        )

    def _was_merged(self) -> bool:
        return any(f.key == "class-names" and f.choice == "merge" for f in self.findings)

    def _other_spellings(self) -> set[int]:
        seen: set[str] = set()
        other = set()
        for index, name in enumerate(self.classes):
            key = "".join(c for c in name.casefold() if c.isalnum()) or name
            if key in seen:
                other.add(index)
            seen.add(key)
        return other


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
