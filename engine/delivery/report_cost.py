"""The report on cost: what the student is, what training took, and what each format of it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine import jobs
from engine.delivery.format_table import FormatTable, formats_job, measured_formats
from engine.delivery.report_markup import NOT_KNOWN, Html, facts, note, table
from engine.delivery.report_material import ReportMaterial
from engine.results import RunResult
from engine.student import student_title
from engine.wording import duration

MB = 1e6


def section(found: ReportMaterial) -> Iterator[Html]:
    """Its parts."""
    cost = next((result.student for result in found.compared.results if result.student), None)
    if cost is not None:
        yield facts(
            [
                ("Student", student_title(cost.architecture)),
                ("Images", f"{cost.size} × {cost.size} pixels"),
                ("Parameters", f"{cost.parameters:,}"),
                ("One image", f"{cost.gflops:.3f} billion multiply-accumulates"),
            ]
        )
        yield note("The student costs the same however many teachers taught it.")
    by_title: dict[str, list[RunResult]] = {}
    for result in found.compared.results:
        by_title.setdefault(result.title, []).append(result)
    yield table(
        ("Method", "Runs", "Steps", "Preparing", "Training", "Evaluating"),
        [
            (
                title,
                f"{len(results)}",
                f"{results[0].steps:,}",
                _mean([result.prepare_seconds for result in results]),
                _mean([result.seconds for result in results]),
                _mean([result.evaluate_seconds for result in results]),
            )
            for title, results in by_title.items()
        ],
    )
    machines = sorted({result.machine for result in found.compared.results})
    yield note(f"A run, mean over seeds, on {'; '.join(machines)}. What teachers say of the images is computed once.")
    formats = None if found.compared.recorded else _formats(found)
    if formats is not None:
        yield Html("<h3>Formats</h3>")
        yield table(
            ("Format", "MB", "Accuracy, %", "ms an image, one thread", f"ms an image, {formats.threads} threads"),
            [
                (row.title, f"{row.size / MB:.1f}", _percent(row.accuracy), _ms(row.one_thread), _ms(row.all_threads))
                for row in formats.rows
                if not row.problem
            ],
        )
        yield note(f"Measured on {formats.machine}; accuracy on the images that the format was checked on.")


def _formats(found: ReportMaterial) -> FormatTable | None:
    """What was measured of the winner's students, if anybody asked."""
    for result in found.compared.results:
        if result.method == found.best.method:
            job = formats_job(found.workspace, result.run)
            if job is not None and jobs.status(job).state == "done":
                return measured_formats(job)
    return None


def _mean(seconds: Sequence[float]) -> str:
    return duration(sum(seconds) / len(seconds))


def _percent(share: float | None) -> str:
    return NOT_KNOWN if share is None else f"{100 * share:.1f}"


def _ms(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.1f}"
