"""The report on what was compared: methods, their accuracy with intervals, and how it grew."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.delivery import report_charts as charts
from engine.delivery.report_markup import NOT_KNOWN, Html, between, facts, figure, name, note, paragraph, table
from engine.delivery.report_material import ReportMaterial
from engine.errors import WorkbenchError
from engine.methods import get_method
from engine.runs import (
    MethodMean,
    arithmetic_sentence,
    consensus_sentence,
    intervals_sentence,
    shared_sentence,
    starts_sentence,
)
from engine.student import student_title
from engine.wording import points


def section(found: ReportMaterial) -> Iterator[Html]:
    """Its parts."""
    compared, best = found.compared, found.best.method
    named = {"task": found.title, "student": student_title(str(compared.shared.get("student", "")))}
    shared = {key: named.get(key, value) for key, value in compared.shared.items()}
    said = (shared_sentence(shared), starts_sentence(compared.results), arithmetic_sentence(compared.results))
    yield paragraph(" ".join(filter(None, said)))
    yield figure(
        charts.bars(compared.means, compared.by_seed, best),
        f"Held-out accuracy, 0 to 100\u00a0%; higher is better. {intervals_sentence(compared)}{_dashed(found)}",
    )
    yield table(
        (
            "Method",
            "Accuracy, %",
            "95\u00a0% interval, %",
            "To fine-tuning, points",
            "Consensus, %",
            "Seeds",
            "Student images",
            "Seconds",
        ),
        [
            (
                mean.title,
                f"{100 * mean.accuracy:.1f}",
                between(mean.interval.low, mean.interval.high, ""),
                _difference(mean),
                NOT_KNOWN if mean.consensus is None else f"{100 * mean.consensus.accuracy:.1f}",
                ", ".join(map(str, mean.seeds)),
                f"{mean.images:,}",
                f"{mean.seconds:,.0f}",
            )
            for mean in compared.means
        ],
    )
    lines = [(mean.method, mean.title, line) for mean in compared.means if (line := _line(found, mean))]
    if lines:
        yield figure(charts.curves(lines, best), "Accuracy over what was spent, mean of the seeds; percent.")
    else:
        yield note("How accuracy grew was not kept.")
    yield facts([(mean.title, _summary(mean)) for mean in compared.means])


def _dashed(found: ReportMaterial) -> str:
    """What the dashed line stands for, where there is one."""
    said = consensus_sentence(found.compared)
    return f" Dashed: {said}" if said else ""


def _difference(mean: MethodMean) -> str:
    found = mean.difference
    if found is None:
        return NOT_KNOWN
    if found.interval is None:
        return f"{points(found.mean)} (one seed)"
    return f"{points(found.mean)} ({points(found.interval.low)} to {points(found.interval.high)})"


def _line(found: ReportMaterial, mean: MethodMean) -> list[tuple[float, float]]:
    """The mean curve of a method's seeds: (student images, accuracy), at the moments of the first one's."""
    curves = [result.curve for result in found.compared.results if result.method == mean.method and result.curve]
    if not curves:
        return []
    images = [point["images"] for point in curves[0]]
    values = [
        np.interp(images, [point["images"] for point in curve], [point["accuracy"] for point in curve])
        for curve in curves
    ]
    return list(zip([float(x) for x in images], np.mean(values, axis=0).tolist(), strict=True))


def _summary(mean: MethodMean) -> object:
    try:
        return get_method(mean.method).summary
    except WorkbenchError:  # a method of another version
        return name("a method that this version of the program does not have")
