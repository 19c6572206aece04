"""Copies of images, and groups on both sides of a split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.review.findings import SHOWN, Checking, counted
from engine.review.splitting import OUT

MANY = 0.2  # share of the training images; leaving more out than that is no small mending


def straddling_groups(now: Checking) -> None:
    """Groups with images on both sides of a given split."""
    numbers = now.facts.group_numbers
    both = np.intersect1d(numbers[now.training], numbers[now.testing])
    both = both[both >= 0]
    if not len(both):
        return
    leaking = np.flatnonzero(np.isin(numbers, both) & now.training)
    few = len(leaking) <= MANY * max(1, int(now.training.sum()))
    names = tuple(
        (str(now.facts.groups[np.flatnonzero(numbers == group)[0]]), f"{int((numbers == group).sum())} images")
        for group in both[:SHOWN]
    )
    choice = now.find(
        "groups-across", "problem",
        counted(len(both), "group is on both sides of the split", "groups are on both sides of the split"),
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
        now.draw("by-group")
    elif choice == "leave-out":
        now.leave_out(leaking, "training images of groups that test")


def copies_across(now: Checking) -> None:
    """Images that train and have a copy, or a near copy, that tests."""
    exact = np.zeros(len(now.labels), dtype=bool)  # they are told once, not as near copies again
    for key, of, what, text in (
        ("copies-across", now.facts.same, "an exact copy", "The student would be tested on what it was shown."),
        (
            "alike-across",
            now.facts.alike,
            "a near copy",
            "They look the same to the eye.",
        ),
    ):
        both = np.intersect1d(of[now.training], of[now.testing])
        across = np.isin(of, both) & (now.training | now.testing) & ~exact
        rows = np.flatnonzero(across & now.training)
        if not len(rows):
            continue
        if key == "copies-across":
            exact = across.copy()
        title = counted(len(rows), f"training image has {what} in the test", f"training images have {what} in the test")
        choice = now.find(
            key, "problem", title, text, len(rows),
            clusters=now.clusters(of, np.flatnonzero(across)),
            choices=(
                ("leave-out-training", "Leave the training images out"),
                ("leave-out-test", "Leave the test images out"),
                ("keep", "Keep both"),
            ),
        )  # fmt: skip
        if choice == "leave-out-training":
            now.leave_out(rows, f"training images with {what} in the test")
        elif choice == "leave-out-test":
            now.leave_out(np.flatnonzero(across & now.testing), f"test images with {what} in training")


def copies_within(now: Checking) -> None:
    """Copies on one side of the split."""
    exact = np.empty(0, dtype=np.int64)
    for key, of, one, many, default in (
        ("copies", now.facts.same, "an exact copy", "exact copies", "keep-one"),
        ("alike", now.facts.alike, "a near copy", "near copies", "keep"),
    ):
        extra = np.setdiff1d(_extra(now, of), exact)
        if not len(extra):
            continue
        exact = extra
        choice = now.find(
            key, "warning" if key == "copies" else "note",
            counted(len(extra), f"image is {one} of another one", f"images are {many} of others"),
            "Copies on the same side of the split count an image twice." if key == "copies" else
            "Frames of a video or resized copies are usual; in the test they count an image twice.",
            len(extra), clusters=now.clusters(of, np.flatnonzero(np.isin(of, of[extra]) & (now.splits != OUT))),
            choices=(("keep-one", "Keep one of each"), ("keep", "Keep all")), default=default,
        )  # fmt: skip
        if choice == "keep-one":
            now.leave_out(extra, f"further {many} of an image")


def _extra(now: Checking, of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows whose cluster has an earlier image on the same side; a labeled image comes before an unlabeled one."""
    rows = np.flatnonzero(now.splits != OUT)
    order = rows[np.argsort(now.labels[rows] < 0, kind="stable")]
    side = (now.splits[order] == "test").astype(np.int64)
    _, first = np.unique(of[order] * 2 + side, return_index=True)
    keep = np.zeros(len(order), dtype=bool)
    keep[first] = True
    return np.sort(order[~keep])
