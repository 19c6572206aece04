"""Which student a section of Results is about, and what that student says of the test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app import state
from app.components import waiting, wording
from app.components.escaping import escape
from app.views.results.draft import ResultsDraft
from app.views.results.sources import Shown
from engine.errors import WorkbenchError
from engine.evaluation import accuracy
from engine.jobs import Job
from engine.methods import place, preselected
from engine.predictions import Predictions
from engine.results import RunResult
from engine.runs import Which, predictions_of, predictions_path, recorded_predictions, request_predictions
from engine.tasks import Task
from engine.workspace import Workspace

RECORDED_SEED = 0  # of the recorded runs whose predictions come with the program


@dataclass(frozen=True)
class Chosen:
    """A student and its predictions of the test images. run: its folder's name; None for one that is recorded."""

    result: RunResult
    run: str | None
    task: Task
    predictions: Predictions

    @property
    def title(self) -> str:
        """Method and seed, such as "FixMatch, seed 0"."""
        return title(self.result)


def title(result: RunResult) -> str:
    """Method and seed of a student, such as "FixMatch, seed 0"."""
    return f"{result.title}, seed {result.seed}"


def of_all_seeds(shown: Shown) -> list[RunResult]:
    """Every student of a comparison, those of the method that is offered first at the top."""
    favorite = _favorite(shown)
    return sorted(shown.results, key=lambda result: (result.method != favorite, place(result.method), result.seed))


def methods(shown: Shown) -> list[str]:
    """The methods of a comparison, in the order of `of_all_seeds`."""
    return list(dict.fromkeys(result.method for result in of_all_seeds(shown)))


def choose(shown: Shown, task: Task) -> Chosen | None:
    """Let a student be chosen, and give it with its predictions of the test images. None while these are not there;
    what there is to do about it is drawn then.
    """
    return with_predictions(shown, task, select(shown, offered(shown)))


def offered(shown: Shown) -> list[RunResult]:
    """The students of a comparison that can be asked about single images, in the order of `of_all_seeds`."""
    return [result for result in of_all_seeds(shown) if not shown.recorded or result.seed == RECORDED_SEED]


def kept(shown: Shown, task: Task, result: RunResult, which: Which = "test") -> Chosen | None:
    """A student with its predictions, read once for all sessions; None while there are none. Raises WorkbenchError."""
    if shown.recorded and (result.seed != RECORDED_SEED or which != "test"):
        return None
    run = None if shown.recorded else result.run
    found = _read(state.workspace(), task.name, result.method, run, which, _changed(run, which))
    return None if found is None else Chosen(result, run, task, found)


def select(shown: Shown, offered: Sequence[RunResult], label: str = "Student", field: str = "student") -> RunResult:
    """Draw the choice of a student; it stays when another section is opened. field: which of the draft's it is."""
    by_key = {title(result): result for result in offered}
    draft = ResultsDraft.current()
    remembered = getattr(draft, field)
    chosen = st.selectbox(
        label,
        list(by_key),
        format_func=lambda key: f"{key} · {wording.percent(by_key[key].held_out_accuracy)}",
        width=420,
        **state.bound(f"results {field}", remembered if remembered in by_key else next(iter(by_key)), draft.put(field)),
    )
    return by_key[chosen]


def with_predictions(shown: Shown, task: Task, result: RunResult, which: Which = "test") -> Chosen | None:
    """A student with its predictions, or None while these are not there; what to do about it is drawn then."""
    try:
        found = kept(shown, task, result, which)
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return None
    if found is not None:
        if shown.recorded:
            _draw_made_again(found)
        return found
    if shown.recorded:
        st.info(
            "What these recorded students say of each image does not come with the program.", icon=":material/info:"
        )
    else:
        _offer(result.run, result, which)
    return None


def _draw_made_again(found: Chosen) -> None:
    """That predictions of a recorded run are of the same run once more, and how far apart the two are."""
    again = accuracy(found.predictions.predicted, found.predictions.labels)
    st.caption(
        f"Of the same run, made again for its predictions: {wording.percent(again)} right, "
        f"{wording.percent(found.result.held_out_accuracy)} in the recorded one."
    )


def _offer(run: str, result: RunResult, which: Which) -> None:
    slot = ResultsDraft.current().slots[f"{run} {which}"]

    def ask() -> Job:
        return slot.ask(lambda: request_predictions(state.workspace(), run, which, state.device()))

    job = slot.not_done()
    if job is not None:
        waiting.wait_for(job, f"Asking {escape(title(result))}", ask)
        return
    with st.container(border=True):
        why = {
            "test": "This run is of an earlier version, which kept no predictions.",
            "unlabeled": "This student has not been asked about the training images whose class it was not told.",
        }[which]
        st.markdown(f":material/visibility: {why} It takes a few seconds for a thousand images.")
        if st.button("Ask the student", type="primary", icon=":material/play_arrow:", key=f"ask {run} {which}"):
            ask()
            st.rerun()


def _changed(run: str | None, which: Which) -> int:
    """When the predictions of a run were written, so that they are read again after that."""
    if run is None:
        return 0
    path = predictions_path(state.workspace(), run, which)
    return path.stat().st_mtime_ns if path.exists() else -1


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(
    workspace: Workspace, task: str, method: str, run: str | None, which: Which, changed: int
) -> Predictions | None:
    return recorded_predictions(task, method) if run is None else predictions_of(workspace, run, which)


def _favorite(shown: Shown) -> str:
    """The method offered first, whatever its accuracy: of those that teachers took part in the last one that a
    comparison takes unless told otherwise, or the first one.
    """
    taught = [result.method for result in shown.results if result.active_alpha]
    favored = (method for key in reversed(preselected()) for method in taught if place(method) == place(key))
    return str(next(favored, (taught or [""])[0]))
