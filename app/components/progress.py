"""Runs while they happen: a row for each, with its stage, rate, time left and curve, and what can be done about it.

All of it is read from disk each time, so a page that was closed and opened again shows the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from app import state
from app.components import charts, page, queued, wording
from app.components.charts import Curve
from app.components.escaping import escape
from app.components.methods import title
from engine import devices, jobs, runs
from engine.errors import WorkbenchError
from engine.files import in_words
from engine.jobs import Job, Status
from engine.runs import (
    CHECKPOINT,
    Comparison,
    Entry,
    LostRun,
    RunsRead,
    curve,
    is_training,
    known_speed,
    read_runs,
    run_again,
    where,
)
from engine.workspace import Workspace

POLL_SECONDS = 1.5  # between two refreshes while something can still change
SILENT = 5.0  # s of work after which a stage without an end in sight says how long it has been
FOLLOW = "the run that trains"  # an option beside the runs
_NOTHING_KEPT = "when resumed, it begins at the beginning"
STOPPED = ("failed", "cancelled", "interrupted")
_BADGES: dict[str, tuple[str, str, Any]] = {  # state -> word, icon, color
    "queued": ("Waiting", ":material/schedule:", "gray"),
    "running": ("Running", ":material/play_arrow:", "blue"),
    "done": ("Done", ":material/check:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
    "cancelled": ("Cancelled", ":material/cancel:", "orange"),
    "interrupted": ("Interrupted", ":material/restart_alt:", "orange"),
}
_STUCK = ("Stuck", ":material/warning:", "red")
_PAUSED = ("Paused", ":material/pause:", "orange")


def draw_runs(workspace: Workspace, comparison: Comparison) -> None:
    """All runs of a comparison, live until the last one has ended; then the whole page is drawn once more."""
    settled = is_settled(read_runs(workspace, comparison).entries)

    @st.fragment(run_every=None if settled else POLL_SECONDS)
    @page.guarded
    def refresh() -> None:
        found = read_runs(workspace, comparison)
        _draw(workspace, comparison, found)
        if not settled and is_settled(found.entries):
            st.rerun()

    refresh()


def is_settled(found: Sequence[Entry]) -> bool:
    """Whether nothing changes any more unless the user asks for it."""
    return all(entry.status.terminal for entry in found)


def curve_of(entry: Entry) -> Curve:
    """A run's curve as far as it has come, from its result or its events."""
    if entry.result is not None:
        points = entry.result.curve
    else:
        try:
            points = curve(entry.job)
        except WorkbenchError:  # `_draw_run` says so
            points = []
    return Curve(entry.spec.method, entry.spec.seed, points)


def _events_problem(entry: Entry) -> str | None:
    """Why the curve of a run that has no result yet cannot be read; None if it can."""
    try:
        curve(entry.job)
    except WorkbenchError as error:
        return str(error)
    return None


def seconds_left(found: Sequence[Entry]) -> float | None:
    """About how long these runs still take, one after the other, or as many at a time as there are cards for them; None
    while too little is known.

    While one trains, the others are taken to be as much slower or quicker than they were last as it is.
    """
    pace, open_runs = _pace(found), [entry for entry in found if not entry.status.terminal]
    lanes = max((runs.cards_of(entry.job) for entry in open_runs), default=1)
    if any(where(entry.job) for entry in open_runs):  # a cluster's nodes: as many as work now
        lanes = max(1, sum(entry.status.state == "running" for entry in open_runs))
    busy = [0.0] * lanes
    for entry in sorted(open_runs, key=lambda entry: entry.status.state != "running"):
        left = runs.seconds_left(state.workspace(), entry.job, entry.status)
        if left is None:
            return None
        busy[busy.index(min(busy))] += left if is_training(entry.status) else left * pace
    return max(busy)


def _pace(found: Sequence[Entry]) -> float:
    """How many times as long as it took last the run that trains takes now; 1 where that is not known."""
    for entry in found:
        if is_training(entry.status) and entry.status.rate:
            speed = known_speed(state.workspace(), entry.spec.recipe, entry.spec.device)
            return speed.images_per_second / entry.status.rate if speed else 1.0
    return 1.0


def _draw(workspace: Workspace, comparison: Comparison, read: RunsRead) -> None:
    found = read.entries
    for lost in read.lost:
        _draw_lost(workspace, lost, found)
    if not found:
        return
    _draw_head(comparison, found)
    waiting = {entry.job.lane: entry.job for entry in found if entry.status.state == "queued"}
    lines = {lane: runs.line(workspace, job) for lane, job in waiting.items()}
    for entry in found:
        _draw_run(workspace, entry, _waits_for(entry, lines, comparison))
    _draw_curves(comparison, found)


def _draw_head(comparison: Comparison, found: Sequence[Entry]) -> None:
    done = sum(entry.status.state == "done" for entry in found)
    text = f"{done} of {wording.count(len(found), 'run')} done"
    left = seconds_left(found)
    if not is_settled(found):
        text += f" · about {wording.duration(left)} left" if left is not None else " · time left not known yet"
    st.progress(sum(_share(entry.status) for entry in found) / len(found), text=text)
    with st.container(horizontal=True, vertical_alignment="center"):
        open_runs = [entry.job for entry in found if not entry.status.terminal]
        stopped = [entry.job for entry in found if can_go_on(entry)]
        if open_runs:
            _button("Cancel all", ":material/cancel:", f"cancel-{comparison.id}", _cancel, open_runs)
        if stopped:
            _button("Resume all", ":material/restart_alt:", f"resume-{comparison.id}", _resume, stopped)
        if done:
            page.link("results", "See the results", ":material/bar_chart:")


def _draw_lost(workspace: Workspace, lost: LostRun, found: Sequence[Entry]) -> None:
    """What is wrong with a run; one whose spec is whole can be made again from here."""
    st.error(escape(lost.problem), icon=":material/error:")
    for entry in found:
        if entry.run == lost.run:
            label = f"Make {title(entry.spec.method)}, seed {entry.spec.seed}, again"
            _button(label, ":material/restart_alt:", f"again-{entry.run}", partial(_again, workspace), [entry])


def _draw_run(workspace: Workspace, entry: Entry, waits_for: str) -> None:
    now = entry.status
    with st.container(border=True, gap="xsmall", key=f"run-{entry.run}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{title(entry.spec.method)}** · seed {entry.spec.seed}", width="content")
            word, icon, color = _BADGES[now.state]
            if now.stuck:
                word, icon, color = _STUCK
            elif now.paused:
                word, icon, color = _PAUSED
            st.badge("Stopping" if now.cancel_requested else word, icon=icon, color=color)
            st.markdown(_detail(entry, waits_for), width="content")
            cancellable = not now.terminal and not now.cancel_requested
            if cancellable or can_go_on(entry):
                st.space("stretch")
            if cancellable:
                _button("Cancel", ":material/close:", f"cancel-{entry.run}", _cancel, [entry.job], small=True)
            if can_go_on(entry):
                _button("Resume", ":material/restart_alt:", f"resume-{entry.run}", _resume, [entry.job], small=True)
            if now.terminal:
                if not can_go_on(entry):
                    st.space("stretch")
                _offer_removal(workspace, entry)
        if now.stuck:
            _draw_stuck(entry)
        elif now.state == "running":
            st.progress(_stage_share(now), text=progress_text(now))
            if place := where(entry.job):
                st.caption(f":material/dns: {escape(place)}" + (f" on {escape(now.host)}" if now.host else ""))
            if said := _latest(curve_of(entry)):
                st.caption(said)
        if now.state != "done" and (problem := _events_problem(entry)):
            st.error(escape(problem), icon=":material/error:")
        if now.state == "failed" and now.message:
            st.error(escape(now.message), icon=":material/error:")


def _draw_stuck(entry: Entry) -> None:
    """That a run gives no sign of life, and the way to end it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/warning: No sign of life for more than a minute, though its process lives. When it is ended and "
            "resumed, it goes on from its last checkpoint.",
            width="content",
        )
        _button("End it", ":material/dangerous:", f"end-{entry.run}", _end_now, [entry.job])


def _offer_removal(workspace: Workspace, entry: Entry) -> None:
    """Delete a run that has ended, after a question that says what becomes of it."""
    asking = st.popover(
        "Delete", icon=":material/delete:", type="tertiary", key=f"delete-{entry.run}", on_change="rerun"
    )
    if not asking.open:
        return
    with asking:
        used = runs.users_of_run(workspace, entry.run)
        others = len(used.comparisons) - 1
        also = (
            f" {wording.count(others, 'other comparison')} {'has' if others == 1 else 'have'} it, too."
            if others
            else ""
        )
        st.markdown(
            f"The run goes to the trash, at the end of Start, with its result and its student: {in_words(used.size)}. "
            f"It can be put back from there.{also}"
        )
        _button("Delete it", ":material/delete:", f"delete-now-{entry.run}", partial(_remove, workspace), [entry])


def can_go_on(entry: Entry) -> bool:
    """Whether a run has stopped and could be resumed: not on a task that has changed since, or cannot be opened."""
    if entry.status.state not in STOPPED:
        return False
    try:
        return state.open_task(entry.spec.task).revision == entry.spec.task_revision
    except WorkbenchError:
        return False


def progress_text(now: Status) -> str:
    """Stage, what is done of it, rate and time left, in one line."""
    text = now.stage or "Starting"
    if now.total:
        text += f" · {now.done:,} of {now.total:,} {now.unit}"
    elif now.seconds >= SILENT:
        text += f" · {wording.duration(now.seconds)} so far"
    if now.rate:
        text += f" · {now.rate:,.0f} {now.unit}/s"
    if now.seconds_left is not None:
        text += f" · {wording.duration(now.seconds_left)} left"
    return text


def _detail(entry: Entry, waits_for: str) -> str:
    """What there is to say about a run that is not running."""
    if entry.result is not None and (interval := entry.result.interval) is not None:
        return (
            f"{wording.percent(entry.result.held_out_accuracy)} held out "
            f":gray[({100 * interval.low:.1f} to {100 * interval.high:.1f} over test images) · "
            f"{wording.duration(entry.result.seconds)} of training]"
        )
    if entry.status.state == "queued":
        tried = f"{escape(entry.status.message)} It is tried again; " if entry.status.message else ""
        return f":gray[{tried}{waits_for}]"
    if entry.status.state == "interrupted":
        return ":gray[its process ended; the queue takes it up again]"
    if entry.status.state in STOPPED and not can_go_on(entry):
        return ":gray[its task has changed since, or is gone: start a new run]"
    if entry.status.state == "cancelled":
        kept = (entry.job.folder / CHECKPOINT).exists()
        return f":gray[{'when resumed, it goes on from its last checkpoint' if kept else _NOTHING_KEPT}]"
    return ""


def _waits_for(entry: Entry, lines: Mapping[str, queued.Line], comparison: Comparison) -> str:
    """What a run of a comparison that waits waits for; empty for one that does not."""
    if entry.status.state != "queued":
        return ""
    if place := where(entry.job):
        return f"waits for a node · {escape(place)}"
    if not devices.is_here(entry.job.device):
        return f"this machine has no {entry.job.device} device"
    return queued.waits_for(entry.job, lines[entry.job.lane], comparison.runs)


def _latest(curve: Curve) -> str | None:
    if not curve.points:
        return None
    point = curve.points[-1]
    losses = ", ".join(f"{name} {value:.2f}" for name, value in point["losses"].items() if name != "confident share")
    said = f"After {point['images']:,} images: {wording.percent(point['accuracy'])} held out · loss: {losses} (nats)"
    if "confident share" in point["losses"]:
        said += f" · sure of {wording.percent(point['losses']['confident share'], 0)} of the unlabeled images"
    return said


def _draw_curves(comparison: Comparison, found: Sequence[Entry]) -> None:
    curves = [curve for entry in found if (curve := curve_of(entry)).points]
    if not curves:
        st.caption("The curves begin with the first evaluation of a student.")
        return
    most = max(entry.spec.train.images for entry in found)
    best = max(point["accuracy"] for curve in curves for point in curve.points)
    left, right = st.columns(2)
    with left:
        st.markdown("**Held-out accuracy over images seen** :gray[(higher is better)]")
        charts.draw_curves(curves, "images", f"live-curves-{comparison.id}", (most, max(best, 0.3)))
    with right:
        st.markdown("**Loss by part** :gray[(nats, lower is better)]")
        charts.draw_losses(_choose_loss(comparison, found), f"live-losses-{comparison.id}")


def _choose_loss(comparison: Comparison, found: Sequence[Entry]) -> Curve:
    """The curve whose losses are drawn: the one that a user picks, or follows the run that trains."""
    begun = _with_points(found)
    curves = {entry.run: curve_of(entry) for entry in begun}
    training = [entry.run for entry in begun if entry.status.state == "running"]
    names = {run: f"{title(curve.method)}, seed {curve.seed}" for run, curve in curves.items()}
    chosen = st.selectbox(
        "Run",
        [*([FOLLOW] if not is_settled(found) else []), *curves],
        format_func=lambda run: names.get(run, "The run that trains now"),
        key=f"loss-of-{comparison.id}",
        label_visibility="collapsed",
    )
    latest = training[-1] if training else list(curves)[-1]
    return curves.get(str(chosen), curves[latest])


def _with_points(found: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in found if curve_of(entry).points]


def _stage_share(now: Status) -> float:
    return min(1.0, now.done / now.total) if now.total else 0.0


def _share(now: Status) -> float:
    """How much of a run is behind it, roughly: training counts, what comes before it does not."""
    if now.state == "done":
        return 1.0
    return _stage_share(now) if is_training(now) else 0.0


def _button(label: str, icon: str, key: str, act: Any, chosen: Sequence[Any], *, small: bool = False) -> None:
    if st.button(label, icon=icon, key=key, type="tertiary" if small else "secondary"):
        try:
            act(chosen)
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        st.rerun()


def _end_now(chosen: Sequence[Job]) -> None:
    for job in chosen:
        jobs.end_now(job)


def _cancel(chosen: Sequence[Job]) -> None:
    for job in chosen:
        jobs.request_cancel(job)


def _remove(workspace: Workspace, chosen: Sequence[Entry]) -> None:
    for entry in chosen:
        runs.remove_run(workspace, entry.job)


def _again(workspace: Workspace, chosen: Sequence[Entry]) -> None:
    for entry in chosen:
        run_again(workspace, entry)


def _resume(chosen: Sequence[Job]) -> None:
    for job in chosen:
        jobs.resume(job)
