"""For photographs: at what size a student sees them and how many images each run trains on, by what this device can do.

A task's size is 64 px unless somebody decides otherwise, which trains anywhere and is enough for digits and icons. Of
photographs it shows little, and a device may be able to do more. The advice at an import (`review.geometry`) knows no
device and is in force from then on; nothing here is until it is taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from engine.devices import count, describe, kind
from engine.methods import Recipe
from engine.review.geometry import advise
from engine.runs.speed import known_speed, seconds_at
from engine.tasks import Task
from engine.tasks.facts import read_sides
from engine.teachers import cost
from engine.training import TrainSpec
from engine.workspace import Workspace

SIZES = (96, 128, 160, 224)  # pixels that are proposed; most networks were trained at the largest
LONGEST = 480.0  # s of one run, about: four methods then end within half an hour (ours)
SEEN = 2  # times that each training image is trained on, about, where there is time for it (ours)
STEP = 1000  # a budget is so many images, or a multiple
# G multiply-accumulates a second of students that are trained, forward alone, until something is measured: of
# EfficientNet-Lite0 at 64 px on a CPU (assets/results); of a card a sixth of a captured loop's on an H100
# (docs/gpu.md), since most cards are slower; of an Apple GPU a guess (ours).
_GUESS = {"cpu": 7.0, "cuda": 100.0, "mps": 20.0}


@dataclass(frozen=True)
class Proposal:
    """What is proposed, and why, in one sentence. seconds: of all runs, as many at a time as there are cards for them.
    measured: whether that rests on a measurement at this very size.
    """

    size: int
    images: int
    reason: str
    seconds: float = 0.0
    measured: bool = False
    device: str = ""  # in words


def propose(
    side: int, train_images: int, size: int, *, decided: bool, seconds: Callable[[int, int], float]
) -> Proposal | None:
    """Size and budget for images whose shorter sides have `side` pixels at the median; None where they are so small
    that nothing speaks for another size.

    size: what is in force, and stays so if it was decided. seconds(size, images): about how long the longest run takes.
    """
    usual = TrainSpec.images
    shown = [larger for larger in SIZES if larger <= side]
    if not shown:
        return None
    larger = [] if decided else [each for each in shown if each > size]
    able = [each for each in larger if seconds(each, usual) <= LONGEST]
    chosen = able[-1] if able else size
    wanted = max(usual, -(-SEEN * train_images // STEP) * STEP)
    images = max(usual, next((n for n in range(wanted, usual, -STEP) if seconds(chosen, n) <= LONGEST), usual))
    reason = _of_size(side, size, larger, chosen, decided=decided) + _of_budget(images, wanted, train_images)
    return Proposal(chosen, images, f"{reason}.")


def _of_size(side: int, size: int, larger: Sequence[int], chosen: int, *, decided: bool) -> str:
    if decided:
        return f"{size} px was decided for this task"
    minutes, half = f"more than {LONGEST / 60:.0f} min here", f"half of the images have {side:,} px or more"
    too_long = [each for each in larger if each > chosen]
    if too_long:
        return f"{half}, but a run at {too_long[0]} px would take {minutes}"
    return f"{half}, and show more at {chosen} px than at {size}" if chosen > size else half


def _of_budget(images: int, wanted: int, train_images: int) -> str:
    if images == TrainSpec.images:
        return ""
    if images < wanted:
        return f"; {images:,} images are what a run trains on in {LONGEST / 60:.0f} min"
    return f"; {images:,} images show each of the {train_images:,} for training about twice"


def proposal_for(
    workspace: Workspace, task: Task, recipes: Sequence[Recipe], seeds: int, device: str
) -> Proposal | None:
    """What is proposed for these methods on this device, with the time of all their runs; None where nothing is known
    of the images' sizes, as of a bundled task, or nothing speaks for another size.

    Raises DamagedFileError or StorageError if the task's files cannot be read.
    """
    sides = read_sides(task.folder)
    if sides is None or not len(sides[0]) or not recipes:
        return None
    advice = advise(*sides)
    size = task.record.student_size or TrainSpec.size
    decided = task.record.student_size not in (0, advice.size)
    speeds = {
        at: [speed_at(workspace, recipe, at, len(task.classes), device) for recipe in recipes] for at in (*SIZES, size)
    }

    def seconds_of(at: int, images: int) -> list[float]:
        return [seconds_at(speed, images) for speed, _ in speeds[at]]

    side, images = advice.short_sides[1], len(task.train_rows)
    found = propose(side, images, size, decided=decided, seconds=lambda *at: max(seconds_of(*at)))
    if found is None:
        return None
    total = seeds * sum(seconds_of(found.size, found.images)) / min(seeds * len(recipes), count(device))
    measured = all(exact for _, exact in speeds[found.size])
    return replace(found, seconds=total, measured=measured, device=describe(device))


def speed_at(workspace: Workspace, recipe: Recipe, size: int, classes: int, device: str) -> tuple[float, bool]:
    """Images a second of a student at `size`, and whether that was measured; else as the area is to a size that was,
    and else a guess.
    """
    for known in (size, *(each for each in (TrainSpec.size, *SIZES) if each != size)):
        speed = known_speed(workspace, replace(recipe, train=replace(recipe.train, size=known)), device)
        if speed is not None:
            return speed.images_per_second * (known / size) ** 2, known == size
    multiply_accumulates = _cost(recipe.train.architecture, classes) * (size / TrainSpec.size) ** 2
    return _GUESS[kind(device)] / multiply_accumulates, False


@lru_cache(maxsize=64)
def _cost(architecture: str, classes: int) -> float:
    return cost(architecture, classes, TrainSpec.size)[1]
