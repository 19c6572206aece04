"""The report on how far the winner can be trusted: calibration, "unsure below", prediction sets."""

from __future__ import annotations

from collections.abc import Iterator

from engine.delivery import report_charts as charts
from engine.delivery.calibration import Reliability
from engine.delivery.report_markup import NOT_KNOWN, Html, between, emphasized, figure, note, paragraph, table, tag
from engine.delivery.report_material import ReportMaterial
from engine.delivery.trust import basis_sentence, decided_sentence, reliability_sentence, sets_sentence
from engine.wording import percent

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
USUAL_COVERAGE = 0.9


def section(found: ReportMaterial) -> Iterator[Html]:
    """Its parts."""
    known = found.calibration
    yield paragraph(basis_sentence(known))
    yield paragraph(emphasized(reliability_sentence(known)))
    sides = [_side("By itself", known.before)]
    if known.after is not None:
        sides.append(_side(f"At a temperature of {known.temperature:.2f}", known.after))
    else:
        sides.append(_coverage(found))
    yield tag("div", *sides, class_="pair")
    yield note(
        "Each mark stands for images of which the student is about equally sure; the larger it is, the more they are. "
        "On the dashed line it is right as often as it is sure."
    )
    yield Html("<h3>Leave the unsure ones to a person</h3>")
    yield paragraph(
        decided_sentence(known.curve.at(USUAL_COVERAGE)).replace("Of 100", "Unsure below 90\u00a0%: of 100")
    )
    yield table(
        ("Unsure below", "Decided", "Right of these", "95\u00a0% interval", "Left to a person"),
        [
            (
                percent(point.threshold, 0),
                percent(point.coverage),
                NOT_KNOWN if point.accuracy is None else percent(point.accuracy),
                between(point.interval.low, point.interval.high) if point.interval else NOT_KNOWN,
                f"{point.left:,}",
            )
            for point in map(known.curve.at, THRESHOLDS)
        ],
    )
    if known.after is not None:
        yield _coverage(found)
    if known.sets:
        yield Html("<h3>More than one answer</h3>")
        yield paragraph(emphasized(sets_sentence(known.rule(USUAL_COVERAGE))))
        yield table(
            ("Asked for", "Held the right class", "95\u00a0% interval", "Classes in a set, on average"),
            [
                (
                    percent(rule.coverage, 0),
                    percent(rule.realized),
                    between(rule.interval.low, rule.interval.high) if rule.interval else NOT_KNOWN,
                    f"{rule.mean_size:.2f}",
                )
                for rule in known.sets
            ],
            words=0,
        )


def _side(title: str, side: Reliability) -> Html:
    interval = side.error.interval
    sure = f" ({between(interval.low, interval.high)})" if interval else " (no interval)"
    return figure(
        charts.reliability(side.bins), f"{title}: calibration error {percent(side.error.value)}{sure}; lower is better."
    )


def _coverage(found: ReportMaterial) -> Html:
    return figure(
        charts.coverage(found.calibration.curve),
        "Right, in percent of the images that are decided; fewer are decided to the left. The band is the 95\u00a0% "
        "interval.",
    )
