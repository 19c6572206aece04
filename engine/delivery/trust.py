"""How far a student can be trusted, in sentences: ** stands around what is to be bold, * around what is in italics."""

from __future__ import annotations

from engine.delivery.calibration import Calibration, HeldOut, SetRule
from engine.evaluation import CoveragePoint, Interval
from engine.wording import NO_BREAK, count, percent

NEAR = 0.02  # of mean confidence and accuracy: nearer than that, nobody would call a student too sure


def basis_sentence(found: Calibration) -> str:
    """What all figures rest on, as plain text."""
    if found.reason is not None:
        return (
            f"{found.reason} So this is what the student says by itself, and no temperature, prediction set or cost is "
            "fitted to it."
        )
    groups = "whole groups and " if found.held_out.groups is not None else ""
    return (
        f"From {count(found.images, 'held-out image')} that the student was not trained on. What is fitted here was "
        f"fitted on one half of them ({groups}a fair share of each class) and tried on the other, and the other way "
        "round."
    )


def reliability_sentence(found: Calibration) -> str:
    """How sure the student is on average, how often right, and what the temperature makes of it."""
    held = found.held_out
    sure, right = _mean_confidence(held, calibrated=False), float(held.right.mean())
    said = f"On average it is {percent(sure, 0)} sure, and right in {percent(right, 0)}: "
    if abs(sure - right) < NEAR:
        said += "as often as it says."
    else:
        said += "it is **too sure of itself**." if sure > right else "it is **more often right than it says**."
    if found.after is None:
        return said
    after = percent(_mean_confidence(held, calibrated=True), 0)
    return (
        f"{said} A *temperature* mends this: one number by which the probabilities are made softer (above 1) or "
        f"sharper (below 1). With it the student is {after} sure on average; which class it names does not change. "
        "The figures below, and those for new images, are with it."
    )


def _mean_confidence(held: HeldOut, *, calibrated: bool) -> float:
    return float((held.calibrated if calibrated else held.probabilities).max(axis=1).mean())


def decided_sentence(point: CoveragePoint) -> str:
    """What a threshold means for a hundred images."""
    if not point.decided:
        return f"It is never so sure: all {point.images:,} images are left to a person."
    decided, right = 100 * point.coverage, 100 * point.right / point.images
    return (
        f"Of 100 such images the student decides {decided:.0f} and is right on {right:.0f} of these; "
        f"{100 - round(decided):.0f} are left to a person."
    )


def sets_sentence(rule: SetRule) -> str:
    """What sets of this coverage are good for."""
    asked = percent(rule.coverage, 0)
    interval = f" ({_range(rule.interval)})" if rule.interval else ""
    return (
        f"In the place of one class the student names a *set* of classes, so large that it holds the right one for "
        f"{asked} of new images that are like these, however good or bad the student is: the worse it is, the larger "
        f"the sets. On held-out images they held it for {percent(rule.realized)}{interval}. A set of one class "
        "is an answer; several are a short list for a person."
    )


def _range(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}{NO_BREAK}%"
