"""The report on the teachers: how well each fits the task, how sure that is, and how much each taught."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.delivery.report_markup import NOT_KNOWN, Html, name, note, paragraph, table
from engine.delivery.report_material import ReportMaterial
from engine.errors import WorkbenchError
from engine.results import RunResult
from engine.runs import MeanRankPlaces, MetricPlaces, TeacherPanel, known_panel, mean_by_teacher
from engine.similarity import METRICS
from engine.tasks import Draw
from engine.teachers import all_teachers
from engine.wording import count, listed, number, percent


def section(found: ReportMaterial) -> Iterator[Html]:
    """Its parts."""
    taught = [result for result in found.compared.results if result.active_alpha]
    problems = sorted({r.ranking_problem for r in found.compared.results if r.ranking_problem})
    yield from (paragraph(f"No ranking was possible: {problem}") for problem in problems)
    if not taught:
        yield paragraph("No teacher took part in this comparison.")
        return
    metric = next((result.metric for result in taught if result.metric and result.similarities), None)
    ranked = [result for result in taught if result.metric == metric]
    panel = _panel(found, taught[0])
    places = panel.under(metric) if panel and metric else None
    titles = {record.name: record.title for record in all_teachers(found.workspace)}
    if metric in METRICS:
        yield paragraph(f"{METRICS[metric].title}: {METRICS[metric].summary} Higher is better.")
    yield _table(ranked, taught, places, panel.mean_rank if panel else None, titles)
    yield from _how_sure(places, titles)
    yield note(
        "The shares are those of the distillation loss, mean over seeds, and sum to 1. "
        f"Effective number of teachers: {listed(_effective(taught))}."
    )


def _panel(found: ReportMaterial, result: RunResult) -> TeacherPanel | None:
    """What a ranking by all metrics said, where somebody asked for one with these labels."""
    if found.task is None or not found.same_task:
        return None
    try:
        return known_panel(found.workspace, found.task, Draw(result.labels_per_class, result.seed))
    except WorkbenchError:  # the similarities of the runs themselves are there in any case
        return None


def _table(
    ranked: Sequence[RunResult],
    taught: Sequence[RunResult],
    places: MetricPlaces | None,
    ranks: MeanRankPlaces | None,
    titles: Mapping[str, str],
) -> Html:
    similarities = mean_by_teacher([result.similarities for result in ranked])
    shares = {
        title: mean_by_teacher([result.active_alpha for result in taught if result.title == title])
        for title in dict.fromkeys(result.title for result in taught)
    }
    teachers = sorted(
        {*similarities, *(teacher for column in shares.values() for teacher in column)},
        key=lambda teacher: (-similarities.get(teacher, float("-inf")), teacher),
    )
    by_place = {place.teacher: place for place in places.places} if places else {}
    by_rank = {place.teacher: place for place in ranks.places} if ranks else {}
    rows = []
    for teacher in teachers:
        place, rank = by_place.get(teacher), by_rank.get(teacher)
        row: list[object] = [name(titles.get(teacher, teacher))]
        row.append(number(similarities[teacher], ".2f") if teacher in similarities else NOT_KNOWN)
        if by_place:
            interval = place.interval if place else None
            first = place.probability_first if place else None
            row.append(f"{number(interval.low, '.2f')} to {number(interval.high, '.2f')}" if interval else NOT_KNOWN)
            row.append(percent(first, 0) if first is not None else NOT_KNOWN)
        if by_rank:
            row.append(f"{rank.score:.1f}" if rank else NOT_KNOWN)
        row += [f"{column[teacher]:.2f}" if column.get(teacher) else NOT_KNOWN for column in shares.values()]
        rows.append(row)
    columns = ["Teacher", "Similarity"]
    columns += ["95\u00a0% interval", "First in"] if by_place else []
    columns += [f"Mean rank of {len(ranks.metrics)} metrics"] if ranks and by_rank else []
    return table([*columns, *(f"Share in {title}" for title in shares)], rows)


def _how_sure(places: MetricPlaces | None, titles: Mapping[str, str]) -> Iterator[Html]:
    if places is None or not places.places:
        yield note("How sure this order is was not computed for these labels: the page Teachers does that.")
        return
    if places.doubt:
        yield note(f"No intervals: {places.doubt}")
    first = places.places[0].teacher
    others = [teacher for pair in places.undecided or () if first in pair for teacher in pair if teacher != first]
    if places.undecided is not None:
        who = listed([titles.get(teacher, teacher) for teacher in others])
        told = f"not told apart from {who}" if others else "told apart from all others"
        yield note(
            "Intervals are from draws of half the labels, of whole groups where the task has groups; "
            f"{titles.get(first, first)}, the first one, is {told} by these labels."
        )


def _effective(taught: Sequence[RunResult]) -> list[str]:
    by_title: dict[str, list[float]] = {}
    for result in taught:
        if result.effective_teachers:
            by_title.setdefault(result.title, []).append(result.effective_teachers)
    said = [f"{title} {sum(values) / len(values):.1f}" for title, values in by_title.items()]
    return said or [count(0, "teacher")]
