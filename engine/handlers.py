"""Which function does which kind of job, for the worker process."""

from __future__ import annotations

from collections.abc import Mapping

from engine import maps
from engine.jobs import Handler
from engine.runs import execute, looking, panel, speed
from engine.runs.execution import KIND as RUN

HANDLERS: Mapping[str, Handler] = {
    RUN: execute,
    looking.KIND: looking.execute_look,
    panel.KIND: panel.execute_panel,
    speed.KIND: speed.execute_speed,
    maps.KIND: maps.execute_map,
}
