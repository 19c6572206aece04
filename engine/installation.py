"""Where this program is installed: what comes with it, and how another process finds the same code."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

FOLDER = Path(str(files("engine"))).parent  # holds app, assets and engine: the project's folder, or site-packages


def bundled(room: str) -> Path:
    """A folder of `assets`: what ships beside the code, such as "tasks" or "teachers"."""
    return Path(str(files("assets"))) / room


def importing(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environment` for a Python process that is to import this `engine`, whichever folder it starts in.

    Start it with `python -P`, so that it imports nothing from that folder. Where the program is installed among the
    libraries nothing changes: named once more, they would stand before Python's own.
    """
    if FOLDER in {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}:
        return dict(environment)
    further = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    return {**environment, "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(FOLDER), *further]))}
