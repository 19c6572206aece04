"""The rows of the table, in the order in which they matter, and the goals that they are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.benchmarks.capture import CASES, apart
from tests.benchmarks.gpu.checks import TOLERANCE, beside_eager, resumed, within_spread
from tests.benchmarks.gpu.loops import Case, measure
from tests.benchmarks.gpu.whole import TASK, command, extraction

# Images in a step: 80 at 64 px, as the defaults have it; at 224 px 256 on a card, and what a CPU can do in a second.
CARD_IMAGES, CPU_IMAGES = {64: (32, 48), 224: (96, 160)}, {64: (32, 48), 224: (4, 6)}
METHODS = (
    ("fine-tuning", "fine-tune", 1, 300),
    ("FixMatch", "fixmatch", 1, 300),
    ("DistillConsensus", "distill-consensus", 1, 300),
    ("DistillWeighted, 1 teacher", "distill-weighted", 1, 300),
    ("DistillWeighted, 30 teachers, 3,000 classes", "distill-weighted", 30, 100),
)
OTHER_TASK = "fashion-mnist"  # where cards and CPUs once differed
OF_CAPTURED, OF_CAPTURED_LARGE, MANY_TEACHERS = 0.8, 0.9, 1.1
ORIENTATION = 16_000  # images a second of an H100 at 64 px and 80 a step; FixMatch, which sees twice as many, half
EXTRACTION_ON_CARD, EXTRACTION_ON_CPU = 0.8, 0.9
COMPARE_SECONDS, RANK_SECONDS = 40, 12


@dataclass(frozen=True)
class Goal:
    """What was wanted of a row, what was reached, and whether that is enough; None where no such device was at hand."""

    wanted: str
    reached: str
    passed: bool | None


@dataclass(frozen=True)
class Row:
    """One row: its part of the table, its name, and how it is measured. limit: seconds that it may take."""

    part: str
    name: str
    measured: Callable[[], Mapping[str, Any]]
    limit: float
    goals: Callable[[Mapping[str, Any]], list[Goal]] = field(default=lambda found: [])


def all_rows(device: str, seconds: float, sizes: Sequence[int], architecture: str) -> Iterator[Row]:
    """Every row for a device; each loop is timed for so many seconds."""
    yield from _loops(device, seconds, sizes[0], "fp32", architecture)
    yield from _checks(device, architecture)
    yield from _commands(device)
    rest = [*((size, "bf16") for size in reversed(sizes)), *((size, "fp32") for size in sizes[1:])]
    for size, precision in rest:
        yield from _loops(device, seconds, size, precision, architecture)


def _loops(device: str, seconds: float, size: int, precision: str, architecture: str) -> Iterator[Row]:
    labeled, others = (CPU_IMAGES if device == "cpu" else CARD_IMAGES).get(size, (4, 4))
    for title, method, teachers, classes in METHODS:
        images = (labeled + others, 0) if method == "fine-tune" else (labeled, others)
        case = Case(title, method, size, images, precision, teachers, classes, architecture)
        name = f"{title}, {size} px, {precision}, {sum(images)} a step"
        limit = 20 if device != "cpu" else 90
        yield Row("loops", name, partial(_rates, case, device, seconds), limit, _speed_goals(case, device))


def _rates(case: Case, device: str, seconds: float) -> dict[str, Any]:
    rates, seen = measure(case, device, seconds)
    return {
        "ours": rates.ours,
        "eager": rates.eager,
        "captured": rates.captured,
        "ratio": rates.ratio,
        "busy": seen.busy,
        "memory": seen.memory,
        **({"notes": rates.notes} if rates.notes else {}),
    }


def _speed_goals(case: Case, device: str) -> Callable[[Mapping[str, Any]], list[Goal]]:
    least = OF_CAPTURED_LARGE if (case.size, case.precision) == (224, "bf16") else OF_CAPTURED

    def goals(found: Mapping[str, Any]) -> list[Goal]:
        if device == "cpu":
            return [Goal(f"≥ {least} of a captured loop, on a card", "not measured", None)]
        goal = Goal(f"≥ {least} of a captured loop", f"{found['ratio']:.2f}", found["ratio"] >= least)
        if case.size != 64:
            return [goal]
        usual = ORIENTATION // 2 if case.method == "fixmatch" else ORIENTATION
        return [goal, Goal(f"about {usual:,} images a second, for orientation", f"{found['ours']:,.0f}", None)]

    return goals


def _checks(device: str, architecture: str) -> Iterator[Row]:
    limit = 30 if device != "cpu" else 90
    for title, method, teachers, classes in (*METHODS[:3], ("DistillWeighted, 3 teachers", METHODS[3][1], 3, 20)):
        images = (16, 0) if method == "fine-tune" else (8, 8)
        case = Case(title, method, 32, images, "fp32", teachers, classes, architecture)
        name = f"{title}: train beside a plain eager loop"
        yield Row("numbers", name, lambda case=case: {"apart": beside_eager(case, device)}, limit, _near)
    case = Case("FixMatch", "fixmatch", 32, (8, 8), architecture=architecture)
    yield Row(
        "numbers", "FixMatch: resumed beside gone through", lambda: {"apart": resumed(case, device)}, limit, _near
    )
    if device != "cpu":
        for method in CASES:
            name = f"{method}: captured beside operation by operation, with dropout, whole and in parts, no wait"
            yield Row(
                "numbers", name, lambda method=method: {"apart": max(apart(method, device).values())}, limit, _near
            )


def _near(found: Mapping[str, Any]) -> list[Goal]:
    return [Goal(f"apart by ≤ {TOLERANCE} of the way", f"{found['apart']:.1e}", found["apart"] <= TOLERANCE)]


def _commands(device: str) -> Iterator[Row]:
    on_card = device != "cpu"
    fewer = [] if on_card else ["--teachers", "quickdraw-300,emoji-google"]
    shorter = [] if on_card else ["--images", "400", "--set", "evaluations=1", *fewer]

    def timed(*arguments: str) -> dict[str, Any]:
        seconds, document = command(arguments, device)
        spread = within_spread(document) if on_card and arguments[0] == "compare" else {}
        return {"seconds": seconds, "spread": spread}

    def goals(least: int) -> Callable[[Mapping[str, Any]], list[Goal]]:
        def judged(found: Mapping[str, Any]) -> list[Goal]:
            if not on_card:
                return [Goal(f"≤ {least} s, on a card", "not measured", None)]
            time = Goal(f"≤ {least} s", f"{found['seconds']:.1f} s", found["seconds"] <= least)
            return [time, *_of_spread(found)]

        return judged

    rank = ("rank", "--task", TASK, *fewer)
    compare = ("compare", "--task", TASK, *shorter)
    other = ("compare", "--task", OTHER_TASK, "--methods", "fixmatch,distill-consensus")
    yield Row("commands", " ".join(rank), lambda: timed(*rank), 60 if on_card else 300, goals(RANK_SECONDS))
    yield Row("commands", " ".join(compare), lambda: timed(*compare), 80 if on_card else 600, goals(COMPARE_SECONDS))
    images, rounds = (2048, 3) if on_card else (64, 1)
    name = f"{images} photographs of 500 px, 2 teachers, images a second"
    yield Row(
        "extraction",
        name,
        lambda: extraction(device, images, rounds=rounds),
        60 if on_card else 120,
        _extraction_goals(device),
    )
    if on_card:
        yield Row("spread", " ".join(other), lambda: timed(*other), 60, _of_spread)


def _of_spread(found: Mapping[str, Any]) -> list[Goal]:
    return [
        Goal(f"{name}: {one['low']:.3f} to {one['high']:.3f}, as on a CPU", f"{one['accuracy']:.3f}", one["fits"])
        for name, one in found["spread"].items()
    ]


def _extraction_goals(device: str) -> Callable[[Mapping[str, Any]], list[Goal]]:
    if device == "cpu":
        least, of = EXTRACTION_ON_CPU, "1 / (1 / decoding + 1 / forward)"
    else:
        least, of = EXTRACTION_ON_CARD, "the slower of decoding and forward"
    return lambda found: [Goal(f"≥ {least} of {of}", f"{found['kept']:.2f}", found["kept"] >= least)]


def between_rows(found: Mapping[str, Mapping[str, Any]], device: str) -> list[Goal]:
    """Goals of two rows together: 30 teachers cost what one costs."""
    (one_teacher, *_), (many_teachers, *_) = METHODS[-2:]
    goals = []
    for name, many in found.items():
        one = found.get(name.replace(many_teachers, one_teacher))
        if name.startswith(many_teachers) and one:
            times, wanted = one["ours"] / many["ours"], f"{name}: ≤ {MANY_TEACHERS} × the time of one teacher"
            passed = times <= MANY_TEACHERS if device != "cpu" else None
            goals.append(Goal(wanted, f"{times:.2f}", passed))
    return goals
