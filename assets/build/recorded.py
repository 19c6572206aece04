"""Makes what nobody who opens a bundled task is to wait for: its ranking with intervals, and a map of each teacher.

Into assets/rankings and assets/maps; an hour on two cores. Each file says of what it was made and with what. The
program uses it as long as that is still so, and this leaves alone what is up to date. Features are kept in
assets/build/out, so that it can stop and go on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

import engine
from assets.build.progress import say
from assets.build.tasks import OUT
from engine import maps
from engine.review import open_task
from engine.runs import RecordedPanel, candidates, recorded_panel, separation_by
from engine.runs.panel import RESAMPLES, panel_spec, teacher_panel
from engine.runs.recorded_ranking import ASSETS, record_panel
from engine.tasks import Task, bundled_names, usual_draw
from engine.teachers import get_teacher
from engine.workspace import Workspace

PACKAGES = ("torch", "timm", "numpy", "scikit-learn")  # that move a ranking's last digits


def write_recorded() -> None:
    """Make what is missing or no longer fits: the rankings first, which take a fraction of the time."""
    workspace = Workspace(OUT.parent / "recorded-workspace")
    tasks = [open_task(workspace, name) for name in bundled_names()]
    for task in tasks:
        _write_ranking(workspace, task)
    pairs = [(task, c.teacher) for task in tasks for c in candidates(workspace, task) if c.allowed]
    for task, teacher in sorted(pairs, key=lambda pair: pair[1].gflops):  # the quickest first
        if maps.recorded_map(task, teacher) is None:
            maps.record_map(maps.ASSETS, task, teacher, maps.draw_umap(workspace, task, teacher.name, "cpu"))
            say(f"{task.name}: map by {teacher.name}")


def _write_ranking(workspace: Workspace, task: Task) -> None:
    draw = usual_draw(task)
    if recorded_panel(workspace, task, draw) is not None:
        return
    panel = teacher_panel(workspace, task, draw=draw, resamples=RESAMPLES)
    found = {name: separation_by(workspace, task, get_teacher(workspace, name), draw) for name in panel.teachers}
    made_with = {"distill-workbench": engine.__version__, **{name: version(name) for name in PACKAGES}}
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    apart = {name: value for name, value in found.items() if value is not None}
    record_panel(ASSETS, RecordedPanel(panel_spec(workspace, task, draw), moment, made_with, panel, apart))
    say(f"{task.name}: ranking")
