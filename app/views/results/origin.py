"""How the runs that Results shows were made: what they share, the command that repeats them, and revisions."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app import state
from app.components import wording
from app.components.escaping import escape
from app.components.methods import student_title
from app.views.results import sources
from app.views.results.sources import Shown
from engine.errors import WorkbenchError
from engine.runs import Comparison, RunSpec, plan, read_runs
from engine.tasks import Task
from engine.workspace import Workspace


def draw_notices(shown: Shown, task: Task) -> None:
    """What has to be known before a number is read: an older revision, runs that do not compare, recorded ones."""
    document = shown.document
    if changed := sources.what_changed(document.get("shared", {}), task):
        st.warning(
            f"The task has changed since these runs: {wording.listed(changed)}. What is shown here is of the older "
            "revision; start a new comparison for the task as it is now.",
            icon=":material/history:",
        )
    if differs := wording.differs_sentence(document.get("differs", ())):
        st.warning(differs, icon=":material/warning:")
    if shown.recorded:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge("Recorded", icon=":material/inventory_2:", color="violet")
            st.caption("These runs came with the program. Start your own on Distill.")


def draw_made(shown: Shown, task: Task, comparison: Comparison | None) -> None:
    """The expander "How this was made"."""
    more = st.expander("How this was made", icon=":material/history_edu:", on_change="rerun", key="results made")
    if not more.open:
        return
    document = shown.document
    with more:
        if shown.recorded:
            when = wording.moment(document.get("created", ""))
            st.markdown(f"Recorded {when} on {escape(sources.machine(document))}.")
        elif comparison is not None:
            st.markdown(f"Begun {wording.moment(comparison.created)} on {escape(sources.machine(document))}.")
        shared = wording.shared_sentence(_in_titles(document.get("shared", {}), task))
        st.markdown(escape(f"{shared} {sources.arithmetic(shown.results)}".rstrip()))
        told = document.get("command") if comparison is None else command(state.workspace(), task, comparison)
        if told:
            st.markdown("The same from the command line:")
            st.code(told, language="bash", wrap_lines=True)


def command(workspace: Workspace, task: Task, comparison: Comparison) -> str | None:
    """The command line that gives these very runs; None where no short one does, as with weights by hand, or where the
    task has changed since.
    """
    specs = [entry.spec for entry in read_runs(workspace, comparison).entries]
    if len(specs) != len(comparison.runs):
        return None
    first = specs[0]
    methods, seeds = _distinct(spec.method for spec in specs), _distinct(spec.seed for spec in specs)
    train = {name: getattr(first.train, name) for name in ("images", "size", "architecture", "start")}
    try:
        again = plan(
            workspace,
            task,
            methods,
            seeds,
            labels_per_class=first.labels_per_class,
            device=first.device,
            metric=first.metric,
            **train,
        )
    except WorkbenchError:
        return None
    same = {replace(spec, threads=first.threads).run_id for spec in again}  # how many there are decides last bits alone
    if same != set(comparison.runs):
        return None
    return _in_words(first, methods, seeds, train)


def _in_words(first: RunSpec, methods: Sequence[str], seeds: Sequence[int], train: Mapping[str, Any]) -> str:
    options = {
        "task": first.task,
        "methods": ",".join(methods),
        "seeds": ",".join(map(str, seeds)),
        "labels-per-class": first.labels_per_class,
        "metric": first.metric,
        "device": first.device,
        **train,
    }
    return "python -m engine compare " + " ".join(
        f"--{name} {shlex.quote(str(value))}" for name, value in options.items()
    )


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))


def _in_titles(shared: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """What runs share, with titles in the place of names that only the program uses."""
    named = {"task": task.record.title, "student": student_title(str(shared.get("student", "")))}
    return {key: named.get(key, value) for key, value in shared.items()}
