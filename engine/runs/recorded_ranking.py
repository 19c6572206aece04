"""Rankings that came with the program: all metrics with intervals of each of its own tasks, at the usual draw.

A new user sees them at once, without one look of a teacher's network. A record is used as long as it is of what there
is now: the same images, labels and split, the same draw and metrics, and the same teachers. Whoever added a teacher has
to compute the ranking here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import DamagedFileError
from engine.installation import bundled
from engine.neighborhoods import Separation
from engine.records import read_record, write_record
from engine.runs.panel import TeacherPanel, panel_spec
from engine.runs.ranking import Ranked, Ranking, candidates
from engine.tasks import Draw, Task
from engine.workspace import Workspace

ASSETS = bundled("rankings")  # <task>.json
_FILE = ("a ranking that came with the program", "restore it from the repository")


@dataclass(frozen=True)
class RecordedPanel:
    """A panel, what it is of, and what computed it."""

    spec: dict[str, Any]  # as `panel_spec` gives it
    recorded: str  # the moment, ISO 8601
    made_with: dict[str, str]  # version of each package, by name
    panel: TeacherPanel
    separations: dict[str, Separation]  # how well each teacher keeps the classes apart on the same images, by name

    def ranking(self, workspace: Workspace, task: Task, metric: str) -> Ranking | None:
        """The ranking by one metric, as `rank` would give it; None where it would take the teachers' outputs to say why
        there is none. workspace, task: those that `recorded_panel` was asked with.
        """
        found = self.panel.under(metric)
        if found is None or not found.places or len(found.places) < len(self.panel.teachers):
            return None
        everyone = {candidate.teacher.name: candidate for candidate in candidates(workspace, task)}
        allowed = [everyone[name] for name in self.panel.teachers]
        return Ranking(
            metric=metric,
            labeled_images=self.panel.labeled_images,
            draw=Draw(self.panel.labels_per_class, self.panel.seed),
            candidates=tuple(candidate.teacher for candidate in allowed),
            ranked=tuple(
                Ranked(one.teacher, one.relation, place.score, place.rank)
                for place in found.places
                for one in [everyone[place.teacher]]
            ),
            excluded=tuple(candidate for candidate in everyone.values() if not candidate.allowed),
        )


def recorded_panel(workspace: Workspace, task: Task, draw: Draw) -> RecordedPanel | None:
    """The panel of the draw that came with the program, or None: there is none, or it is of another task, of other
    labels, metrics or teachers than there are now. Raises InvalidInputError if no teacher may teach the task.
    """
    path = ASSETS / f"{task.name}.json"
    if not path.exists():
        return None
    try:
        found = read_record(path, RecordedPanel, *_FILE)
    except DamagedFileError:  # it can be computed here
        return None
    return found if found.spec == panel_spec(workspace, task, draw) else None


def record_panel(root: Path, found: RecordedPanel) -> None:
    """Keep a panel in the folder `root` as one that comes with the program. Raises StorageError."""
    write_record(root / f"{found.panel.task}.json", found)
