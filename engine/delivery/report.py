"""The report of a comparison: one HTML page that holds all it shows, for a colleague who has no workbench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.delivery import (
    report_cost,
    report_data,
    report_errors,
    report_methods,
    report_origin,
    report_teachers,
    report_trust,
)
from engine.delivery.report_markup import Html, emphasized, escape, joined, note, tag, text
from engine.delivery.report_material import ReportMaterial, material
from engine.delivery.report_style import STYLE
from engine.delivery.result_sentences import first_sentence
from engine.errors import InvalidInputError, WorkbenchError
from engine.files import as_utf8, write_bytes
from engine.runs import differs_sentence, what_changed
from engine.wording import count, listed, moment
from engine.workspace import Workspace

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # of the page: it asks nobody for anything


@dataclass(frozen=True)
class ReportSection:
    """A section of the report."""

    title: str
    write: Callable[[ReportMaterial], Iterator[Html]]


SECTIONS = {
    "data": ReportSection("The data", report_data.section),
    "teachers": ReportSection("The teachers", report_teachers.section),
    "compared": ReportSection("What was compared", report_methods.section),
    "errors": ReportSection("What it gets wrong", report_errors.section),
    "classes": ReportSection("Each class", report_errors.classes_section),
    "trust": ReportSection("How far it can be trusted", report_trust.section),
    "cost": ReportSection("What it costs", report_cost.section),
    "origin": ReportSection("Where this comes from", report_origin.section),
}


def report_html(workspace: Workspace, name: str) -> str:
    """The report of the comparison of that id, or of "recorded:<task>", as one HTML page.

    What cannot be read or was not computed is a sentence in its place. Raises UnknownNameError, DamagedFileError, or
    InvalidInputError while no run of the comparison has finished.
    """
    found = material(workspace, name)
    sections = [tag("section", tag("h2", part.title), *_written(part, found), id=key) for key, part in SECTIONS.items()]
    links = [tag("a", part.title, href=f"#{key}") for key, part in SECTIONS.items()]
    made = moment(datetime.now(UTC).isoformat(timespec="seconds"))
    body = tag(
        "body",
        tag(
            "header",
            tag("p", "Distill Workbench: report of a comparison", class_="kind"),
            tag("h1", found.title, dir="auto"),
            *_first_sentences(found),
            tag("nav", joined(_spaced(links))),
        ),
        tag("main", *sections),
        tag("footer", note(f"Made {made}. All that this page shows is in it; it asks no other machine for anything.")),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{found.title}: report"),
        tag("style", Html(STYLE)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def write_report(workspace: Workspace, name: str, out: Path) -> Path:
    """Write the report to the file `out`, which takes the place of one that is there. Raises as `report_html`, and
    StorageError; the file is then as it was.
    """
    if out.is_dir():
        raise InvalidInputError(f"{out} is a folder: name a file, such as {out / 'report.html'}.")
    write_bytes(out, as_utf8(report_html(workspace, name)))
    return out


def _first_sentences(found: ReportMaterial) -> Iterator[Html]:
    told = first_sentence(found.compared, found.task, found.asked_or_none, escape)
    yield tag("p", emphasized(told.winner), class_="lead")
    if told.beside:
        yield tag("p", emphasized(told.beside))
    for sentence in _notices(found):
        yield tag("p", text(sentence), class_="mark")


def _notices(found: ReportMaterial) -> Iterator[str]:
    """What has to be known before a number is read."""
    compared = found.compared
    if found.task is not None and (changed := what_changed(compared.shared, found.task)):
        yield f"The task has changed since these runs: {listed(changed)}. The numbers are of the older revision."
    if differs := differs_sentence(compared.document.get("differs", ())):
        yield differs
    if compared.unfinished:
        yield f"{count(compared.unfinished, 'run')} of this comparison had not finished when this page was made."
    yield from compared.problems


def _written(part: ReportSection, found: ReportMaterial) -> Iterator[Html]:
    """A section; what keeps it from being written is a sentence in its place."""
    try:
        yield from part.write(found)
    except WorkbenchError as error:
        yield tag("p", str(error), class_="mark")


def _spaced(links: list[Html]) -> Iterator[object]:
    for link in links:
        yield link
        yield " "
