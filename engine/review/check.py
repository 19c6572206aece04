"""The check before anything is trained: what is odd in a task's images, labels and split, and what is done about it.

`review` is a function of facts and decisions alone: the same decisions on the same images give the same labels and
split, and taking a decision back gives what was before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError
from engine.review.check_copies import copies_across, copies_within, straddling_groups
from engine.review.findings import Checking, Decisions, Review, counted
from engine.review.splitting import OUT
from engine.tasks.facts import LINKS, Facts, ImportSummary
from engine.tasks.names import spelling

FEW_LABELS = 5  # of a class in training: fewer than the labels per class that methods usually draw
FEW_TEST_IMAGES = 100  # fewer give an accuracy within ± 10 points at best (Wilson, at one half)
IMBALANCE = 10.0  # largest to smallest class
SMALL_SIDE = 32  # pixels
ELONGATED = 3.0  # longer by shorter side


def split_methods(facts: Facts, given: NDArray[np.str_], labels: NDArray[np.int64]) -> tuple[str, ...]:
    """The kinds of split that these images allow, the default first.

    The source's own split is the default where its test images have labels; a public test set often has none.
    """
    methods = ["stratified"]
    if (facts.groups != "").any():
        methods.insert(0, "by-group")
    if (given == "test").any():
        methods.insert(0 if ((given == "test") & (labels >= 0)).any() else len(methods), "given")
    return tuple(methods)


def review(
    facts: Facts,
    about: ImportSummary,
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
    now = Checking(facts, about, list(classes), labels.copy(), given, decisions)
    for step in (
        files,
        class_names,
        contradictions,
        split,
        straddling_groups,
        copies_across,
        copies_within,
        appearance,
        class_sizes,
        test_images,
    ):
        step(now)
    return _result(now)


def files(now: Checking) -> None:
    """Unreadable files, files that were no images, what the layout dropped, what was done to make RGB."""
    about = now.about
    if about.unreadable_count:
        now.find(
            "unreadable", "warning", counted(about.unreadable_count, "file cannot be read", "files cannot be read"),
            "They are left out. Mend or replace them and import again to have them.",
            about.unreadable_count, names=about.unreadable,
        )  # fmt: skip
    links = [(name, why) for name, why in about.skipped if why in LINKS]
    if links:
        now.find(
            "links", "warning", counted(len(links), "link was not followed", "links were not followed"),
            "What they lead to takes no part: classes may be missing. Copy the folder so that files take the place of "
            "links (cp -rL), and import the copy; or import the folder that they lead to.",
            len(links), names=tuple(links),
        )  # fmt: skip
    others = [(name, why) for name, why in about.skipped if why not in LINKS]
    if count := about.skipped_count - len(links):
        reasons = Counter(why for _, why in others).most_common()
        now.find(
            "skipped", "note", counted(count, "file or row was skipped", "files or rows were skipped"),
            "They take no part. " + "; ".join(f"{number:,}: {why}" for why, number in reasons) + ".", count,
            names=tuple(others),
        )  # fmt: skip
    if about.notes:
        now.find("layout", "note", f"Read as {about.layout_title}", " ".join(about.notes), len(about.notes))
    if about.steps:
        count = sum(bool(steps) for steps in now.facts.steps)
        steps = tuple((step, counted(number, "image", "images")) for step, number in about.steps.items())
        now.find(
            "conversions", "note", counted(count, "image was converted to RGB", "images were converted to RGB"),
            "Networks take three channels of 8 bits. What was done is listed.", count, names=steps,
            rows=np.flatnonzero([bool(steps) for steps in now.facts.steps]),
        )  # fmt: skip


def class_names(now: Checking) -> None:
    """Classes that are likely one class in two spellings. They stay apart unless the user makes them one."""
    by_spelling: dict[str, list[int]] = {}
    for index, name in enumerate(now.classes):
        by_spelling.setdefault(spelling(name), []).append(index)
    alike = [indices for indices in by_spelling.values() if len(indices) > 1]
    if not alike:
        return
    names = tuple((now.classes[group[0]], ", ".join(now.classes[i] for i in group[1:])) for group in alike)
    choice = now.find(
        "class-names", "warning", counted(len(alike), "class has a second spelling", "classes have other spellings"),
        "Their names differ only in case, or in spaces, hyphens and underscores between letters. Make them one class "
        "if they mean the same.", len(alike), names=names,
        choices=(("keep", "Keep them apart"), ("merge", "Make them one class")),
    )  # fmt: skip
    if choice == "merge":
        for group in alike:
            now.labels[np.isin(now.labels, group[1:])] = group[0]
            now.dropped.update(group[1:])


def contradictions(now: Checking) -> None:
    """The same content under different labels."""
    known = now.labels >= 0
    highest = np.full(len(now.labels), -1, dtype=np.int64)
    lowest = np.full(len(now.labels), np.iinfo(np.int64).max, dtype=np.int64)
    np.maximum.at(highest, now.facts.same[known], now.labels[known])
    np.minimum.at(lowest, now.facts.same[known], now.labels[known])
    bad = (highest >= 0) & (lowest < highest)
    rows = np.flatnonzero(bad[now.facts.same])
    if not len(rows):
        return
    choice = now.find(
        "contradictions", "problem",
        counted(len(rows), "image has copies with another label", "images are copies with different labels"),
        "At least one of the labels is wrong, and nothing here says which.", len(rows),
        clusters=now.clusters(now.facts.same, rows),
        choices=(("unlabel", "Take their labels away"), ("leave-out", "Leave them out"), ("keep", "Keep them")),
    )  # fmt: skip
    if choice == "unlabel":
        now.labels[rows] = -1
    elif choice == "leave-out":
        now.left_out_later = rows


def split(now: Checking) -> None:
    """Which images test: as given, or drawn here so that copies share a side."""
    methods = split_methods(now.facts, now.given, now.labels)
    now.method = now.decisions.split or methods[0]
    if now.method not in methods:
        raise InvalidInputError(
            f"These images have no split {now.method!r}, for lack of "
            f"{'groups' if now.method == 'by-group' else 'a split of their own'}: choose {' or '.join(methods)}."
        )
    unlabeled_test(now)
    if now.method == "given":
        now.keep_given()
    else:
        now.draw(now.method)


def unlabeled_test(now: Checking) -> None:
    """Images that the source holds out and that have no label: they neither train nor test, unless that is decided."""
    rows = np.flatnonzero((now.given == "test") & ~now.known)
    if not len(rows):
        return
    choice = now.find(
        "unlabeled-test", "note",
        counted(len(rows), "held-out image has no label", "held-out images have no label"),
        "The source keeps them for its own test. They take no part, so that a student stays fit for that test.",
        len(rows), rows=rows,
        choices=(("hold-out", "Hold them out"), ("train", "Train on them as unlabeled images")),
    )  # fmt: skip
    if choice == "train":
        now.given = now.given.copy()
        now.given[rows] = "train"
    else:
        now.held_back = rows


def appearance(now: Checking) -> None:
    """Images of one color, tiny ones, and very long ones."""
    facts = now.facts
    short, long = np.minimum(facts.widths, facts.heights), np.maximum(facts.widths, facts.heights)
    here = now.splits != OUT
    largest = int(short.max()) if len(short) else 0
    for key, mask, one, many, what, text in (
        (
            "flat", facts.flat, "image shows nothing", "images show nothing", "pictures of nothing",
            "They have one color all over.",
        ),
        (
            "small", (short < SMALL_SIDE) & (largest >= SMALL_SIDE), "image is very small", "images are very small",
            "very small",
            f"Their shorter side has fewer than {SMALL_SIDE} pixels, while others have up to {largest:,}.",
        ),
        (
            "elongated", long > ELONGATED * short, "image is very long", "images are very long",
            "very long",
            f"One side is more than {ELONGATED:g} times the other: squashing distorts it, cropping loses most.",
        ),
    ):  # fmt: skip
        rows = np.flatnonzero(mask & here)
        if not len(rows):
            continue
        choices = (("keep", "Keep them"), ("leave-out", "Leave them out"))
        severity = "warning" if key == "flat" else "note"
        if (
            now.find(key, severity, counted(len(rows), one, many), text, len(rows), rows=rows, choices=choices)
            != "keep"
        ):
            now.leave_out(rows, what)


def class_sizes(now: Checking) -> None:
    """Classes without, or with few, labeled training images; imbalance."""
    counts = now.counts(now.training)
    everywhere = np.bincount(now.labels[now.labels >= 0], minlength=len(now.classes))
    by_hand = not (everywhere > 0).any()  # named for labeling; nothing has a label yet
    empty = np.array([i for i in np.flatnonzero((counts == 0) & ~by_hand) if i not in now.dropped], dtype=np.int64)
    if len(empty):
        waiting = bool((now.training & (now.labels < 0)).any())  # unlabeled images may be of these classes
        text = "A student cannot learn them" + (" before some images are labeled so." if waiting else ".")
        order = ("keep", "leave-out") if waiting else ("leave-out", "keep")
        _class_finding(
            now, "empty-classes", empty, everywhere, "warning" if waiting else "problem",
            "has no labeled training image", "have no labeled training image", text, order,
        )  # fmt: skip
    few = np.flatnonzero((counts > 0) & (counts < FEW_LABELS))
    if len(few):
        _class_finding(
            now, "few-labels", few, counts, "warning", f"has fewer than {FEW_LABELS} labeled training images",
            f"have fewer than {FEW_LABELS} labeled training images",
            "All that they have are used; their similarity and accuracy will be uncertain.", ("keep", "leave-out"),
        )  # fmt: skip
    counts = now.counts(now.training)
    present = counts[counts > 0]
    if len(present) > 1 and present.max() >= IMBALANCE * present.min():
        most, least = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max()).argmin())
        now.find(
            "imbalance", "note", f"The largest class has {present.max() / present.min():.0f} times the smallest",
            f"{now.classes[most]!r} has {counts[most]:,} labeled training images, {now.classes[least]!r} has "
            f"{counts[least]:,}. As many labels of each class are drawn; unlabeled images stay as they are.",
            int(present.max()),
        )  # fmt: skip


def _class_finding(
    now: Checking, key: str, which: NDArray[np.int64], counts: NDArray[np.int64], severity: str, one: str, many: str,
    text: str, order: tuple[str, str],
) -> None:  # fmt: skip
    titles = {"keep": "Keep the classes", "leave-out": "Leave the classes and their images out"}
    names = tuple((now.classes[i], counted(int(counts[i]), "image", "images")) for i in which[:1000])
    title = counted(len(which), f"class {one}", f"classes {many}")
    choices = tuple((choice, titles[choice]) for choice in order)
    if now.find(key, severity, title, text, len(which), names=names, choices=choices) == "leave-out":
        rows = np.flatnonzero(np.isin(now.labels, which))
        now.leave_out(rows, "of classes that are left out")
        now.labels[rows] = -1
        now.dropped.update(int(i) for i in which)


def test_images(now: Checking) -> None:
    """Whether the test can tell anything."""
    tested = now.counts(now.testing)
    kept = [i for i in range(len(now.classes)) if i not in now.dropped]
    trained = now.counts(now.training)
    untested = [i for i in kept if tested[i] == 0 and trained[i] > 0]
    total = int(tested.sum())
    if total == 0:
        joined = int(trained.sum()) > len(kept)  # there is enough to hold out, if it could be parted
        now.find(
            "no-test", "problem", "No image is held out for the test",
            "Teachers can be ranked, but no accuracy can be told: "
            + ("copies and groups tie all labeled images together. Label images of other groups, or draw at random."
               if joined else "label more images."), 0,
        )  # fmt: skip
        return
    if total < FEW_TEST_IMAGES:
        now.find(
            "few-test-images", "warning", f"Only {counted(total, 'image tests', 'images test')} the student",
            f"Its accuracy will be uncertain by about ± {98 / np.sqrt(total + 3.84):.0f} points.", total,
        )  # fmt: skip
    if untested:
        names = tuple((now.classes[i], f"{trained[i]} in training") for i in untested[:1000])
        now.find(
            "untested-classes", "warning",
            counted(len(untested), "class has no test image", "classes have no test image"),
            "They are learned, but their accuracy is not measured.", len(untested), names=names,
        )  # fmt: skip


def _result(now: Checking) -> Review:
    """Labels with the classes that remain."""
    kept = [i for i in range(len(now.classes)) if i not in now.dropped]
    if len(kept) < 2:
        names = ", ".join(repr(now.classes[i]) for i in kept) or "none"
        raise InvalidInputError(
            f"A task needs at least two classes with labeled images; here {'is' if len(kept) == 1 else 'are'} "
            f"{names}: check how the images are sorted or labeled."
        )
    number = np.full(len(now.classes) + 1, -1, dtype=np.int64)  # the last one is for -1
    number[kept] = np.arange(len(kept))
    labels = number[now.labels]
    if not (now.splits == "train").any():
        raise InvalidInputError("No image is left to train on: choose another split, or accept more findings.")
    return Review(
        tuple(now.findings), tuple(now.classes[i] for i in kept), labels, now.splits, now.method, now.rule,
        now.out(),
    )  # fmt: skip
