"""The teachers that may teach a task, in the order of the ranking, and what is known of each one's map."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app import cached, state
from app.components import wording
from engine import maps
from engine.maps import Map
from engine.neighborhoods import Separation
from engine.runs import candidates, has_ranked_features, separation_by
from engine.tasks import Draw, Task
from engine.teachers import TeacherRecord
from engine.workspace import Workspace

TITLES = {"umap": "UMAP", "pca": "PCA"}


@dataclass(frozen=True)
class Placed:
    """A teacher, and its rank; None where there is no ranking yet."""

    teacher: TeacherRecord
    rank: int | None

    @property
    def title(self) -> str:
        """Rank and title."""
        return self.teacher.title if self.rank is None else f"{self.rank}. {self.teacher.title}"


def placed_teachers(task: Task) -> list[Placed]:
    """All that may teach, the most similar first; those without a rank follow by title."""
    allowed = {c.teacher.name: c.teacher for c in candidates(state.workspace(), task) if c.allowed}
    ranking = cached.ranking(task) if allowed else None
    ranks = {ranked.teacher.name: ranked.rank for ranked in ranking.ranked} if ranking else {}
    first = [Placed(allowed[name], rank) for name, rank in ranks.items() if name in allowed]
    rest = sorted((teacher for name, teacher in allowed.items() if name not in ranks), key=lambda each: each.title)
    return [*first, *(Placed(teacher, None) for teacher in rest)]


def umap_of(task: Task, teacher: TeacherRecord, *, whole: bool = True) -> Map | None:
    """A teacher's UMAP: of all images, if that was drawn and `whole` ones will do; else of the sample."""
    workspace = state.workspace()
    found = maps.read_map(workspace, task, teacher.name, "umap", whole=True) if whole else None
    return found or maps.read_map(workspace, task, teacher.name, "umap")


def pca_of(task: Task, teacher: TeacherRecord) -> Map | None:
    """The PCA of the features seen so far, computed once for all sessions until more are seen; None without any."""
    seen = len(maps.seen_rows(state.workspace(), task, teacher.name))
    return _pca(state.workspace(), task.name, task.revision, teacher.key, seen, task, teacher) if seen else None


def separation_of(task: Task, teacher: TeacherRecord) -> Separation | None:
    """How well a teacher keeps the classes apart on the labeled images, computed once for all sessions, or recorded."""
    if came := cached.recorded(task):
        return came.separations.get(teacher.name)
    if not has_ranked_features(state.workspace(), task, teacher, state.draw()):
        return None
    return _separation(state.workspace(), task.name, task.revision, state.draw(), teacher.key, task, teacher)


def separation_line(found: Separation | None) -> str:
    """The same in one line."""
    if found is None:
        return "Separation of the classes not measured yet: rank the teachers first."
    interval = found.interval
    around = "" if interval is None else f" ({100 * interval.low:.0f} to {100 * interval.high:.0f})"
    return (
        f"Nearest neighbor right {wording.percent(found.nearest, 0)}{around}, silhouette "
        f"{wording.number(found.silhouette, '.2f')}, on {wording.count(found.images, 'labeled image')}"
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _pca(
    workspace: Workspace, name: str, revision: str, key: str, seen: int, _task: Task, _teacher: TeacherRecord
) -> Map | None:
    return maps.pca_map(workspace, _task, _teacher.name)


@st.cache_resource(max_entries=256, show_spinner=False)
def _separation(
    workspace: Workspace, name: str, revision: str, draw: Draw, key: str, _task: Task, _teacher: TeacherRecord
) -> Separation | None:
    return separation_by(workspace, _task, _teacher, draw)
