"""Draws the UMAPs of the bundled tasks into assets/maps: `python -m assets.build.maps`; half an hour on two cores.

One small file for each task and teacher, so that the Features page shows a map at once, without numba and without one
look of the teacher. A map is found only while task, teacher, parameters and the version of umap-learn are the same.
"""

from __future__ import annotations

import sys

from assets.build.tasks import OUT
from engine import maps
from engine.review import open_task
from engine.runs import candidates
from engine.tasks import bundled_names
from engine.workspace import Workspace


def write_maps(workspace: Workspace) -> None:
    """Draw what is missing. The workspace `workspace` keeps the features, so that it can stop and go on."""
    for name in bundled_names():
        task = open_task(workspace, name)
        for candidate in candidates(workspace, task):
            teacher = candidate.teacher
            if candidate.allowed and maps.read_map(workspace, task, teacher.name, "umap") is None:
                maps.write_map(maps.ASSETS, task, teacher, maps.draw_umap(workspace, task, teacher.name, "cpu"))
                print(f"{name}: {teacher.name}", flush=True)


if __name__ == "__main__":
    write_maps(Workspace(OUT.parent / "maps-workspace"))
    sys.exit(0)
