"""The queue of this workspace: what runs, what waits for what and for how long, which goes next, and the pause."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from app.components import page, queued, wording
from app.components.escaping import escape
from engine import jobs, runs
from engine.errors import WorkbenchError
from engine.jobs import Job, Status
from engine.workspace import Workspace

POLL_SECONDS = 3.0
SHOWN = 12  # jobs; more are counted


def draw(workspace: Workspace, *, watched: bool) -> None:
    """The queue as it is, live; nothing where nothing runs or waits and it is not paused. Its jobs are folded away
    where a comparison is watched, which lists its own.
    """
    if not runs.open_jobs(workspace) and not runs.is_paused(workspace):
        return

    @st.fragment(run_every=POLL_SECONDS)
    @page.guarded
    def refresh() -> None:
        _draw(workspace, watched)

    refresh()


def _draw(workspace: Workspace, watched: bool) -> None:
    found = runs.open_jobs(workspace)
    running = sum(now.state == "running" for _, now in found)
    waiting = sum(now.state == "queued" for _, now in found)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Queue", anchor=False, width="content")
        st.markdown(f":gray[{wording.count(running, 'job')} running, {waiting:,} waiting]", width="content")
        st.space("stretch")
        if workspace.base is not None:
            pass  # of a demo the host alone holds the queue back
        elif runs.is_paused(workspace):
            _button("Go on", ":material/play_arrow:", "queue-go-on", partial(runs.go_on, workspace))
        elif found:
            _button("Pause", ":material/pause:", "queue-pause", partial(runs.pause, workspace))
    with st.container():  # there also when empty, so that what is below keeps its place, and stays open
        if runs.is_paused(workspace):
            st.info(
                "The queue is paused: what runs goes on to its end, and no further run begins.", icon=":material/pause:"
            )
    if not found:
        return
    waits_in = {job.lane: job for job, now in found[:SHOWN] if now.state == "queued"}
    lines = {lane: runs.line(workspace, job) for lane, job in waits_in.items()}  # each looks through all jobs there are
    with st.expander("Each job", expanded=False) if watched else st.container():
        for job, now in found[:SHOWN]:
            _draw_job(workspace, job, now, lines.get(job.lane, []))
        if len(found) > SHOWN:
            st.caption(f"and {wording.count(len(found) - SHOWN, 'more job')}")


def _draw_job(workspace: Workspace, job: Job, now: Status, line: queued.Line) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"in-line-{job.id}"):
        st.markdown(f"{queued.name(job)} :gray[{_how(workspace, job, now, line)}]", width="content")
        st.space("stretch")
        waiting = [other.folder for other, present in line if present.state == "queued"]
        if now.state == "queued" and waiting and waiting[0] != job.folder:
            _button("Run next", ":material/vertical_align_top:", f"next-{job.id}", partial(jobs.put_first, job))
        if not now.cancel_requested:
            _button("Cancel", ":material/close:", f"stop-{job.id}", partial(jobs.request_cancel, job))


def _how(workspace: Workspace, job: Job, now: Status, line: queued.Line) -> str:
    """Whether a job runs, or what it waits for, and for how long."""
    if now.state == "queued":
        return "waits" if jobs.is_held(workspace, job.lane) else queued.waits_for(job, line)
    if now.stuck:
        return "is stuck: no sign of life for more than a minute"
    if now.paused:
        return escape(now.stage)
    left = runs.seconds_left(workspace, job, now)
    return "runs" + (f", about {wording.duration(left)} left" if left is not None else "")


def _button(label: str, icon: str, key: str, act: Callable[[], object]) -> None:
    if st.button(label, icon=icon, key=key, type="tertiary"):
        try:
            act()
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        st.rerun()
