"""The report on where this comes from: runs, revisions, teachers and their licenses, the command that repeats it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.delivery.report_markup import Html, facts, name, note, paragraph, table, tag
from engine.delivery.report_material import ReportMaterial
from engine.errors import WorkbenchError
from engine.runs import machine_of, repeating_command
from engine.teachers import get_teacher
from engine.wording import moment, percent


def section(found: ReportMaterial) -> Iterator[Html]:
    """Its parts."""
    compared, document = found.compared, found.compared.document
    versions = {key: value for result in compared.results for key, value in result.versions.items()}
    yield facts(
        [
            ("Comparison", str(document.get("comparison", found.name))),
            ("Recorded" if compared.recorded else "Begun", moment(str(document.get("created", "")))),
            ("Sittings", str(document.get("sittings", ""))),
            ("Machine", machine_of(document)),
            ("Task", str(document.get("task", ""))),
            ("Revision of the task", str(compared.shared.get("task_revision", ""))),
            ("Revision of the split", str(compared.shared.get("split", ""))),
            ("Versions", ", ".join(f"{key} {value}" for key, value in sorted(versions.items()))),
        ]
    )
    told = _command(found)
    if told:
        yield paragraph("The command that repeats it:")
        yield tag("pre", told)
    else:
        yield paragraph(
            "No short command repeats it: the task or the program has changed since, or weights were set by hand."
        )
    yield from _teachers(found)
    yield table(
        ("Run", "Accuracy"),
        [
            (result.run or f"{result.title}, seed {result.seed}", percent(result.held_out_accuracy))
            for result in compared.results
        ],
    )
    if found.task is not None:
        yield note(
            "This page holds images of the task. License of the images: "
            f"{found.task.record.license or 'not stated'}. Pass it on only as that allows."
        )


def _command(found: ReportMaterial) -> str | None:
    if found.comparison is None:
        return found.compared.document.get("command")
    return None if found.task is None else repeating_command(found.workspace, found.task, found.comparison)


def _teachers(found: ReportMaterial) -> Iterator[Html]:
    """Those that took part, with what they learned from and their licenses."""
    taking_part = sorted({teacher for result in found.compared.results for teacher in result.active_alpha})
    if not taking_part:
        return
    rows = []
    for teacher in taking_part:
        try:
            record = get_teacher(found.workspace, teacher)
        except WorkbenchError:  # it was removed since: its name is what is left
            rows.append((name(teacher), "not known any more", "not known any more"))
            continue
        collections = ", ".join((record.collection, *record.further_collections))
        rows.append((name(record.title), name(collections), name(record.license)))
    yield table(("Teacher", "Learned from", "License"), rows, words=3)
