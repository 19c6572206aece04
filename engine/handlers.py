"""Which function does which kind of job, for the worker process."""

from __future__ import annotations

from collections.abc import Mapping

from engine import maps
from engine.jobs import Handler
from engine.runs import execute, looking, speed
from engine.runs.execution import KIND as RUN
from engine.tasks import IMPORT_KIND, execute_import

HANDLERS: Mapping[str, Handler] = {
    RUN: execute,
    looking.KIND: looking.execute_look,
    speed.KIND: speed.execute_speed,
    maps.KIND: maps.execute_map,
    IMPORT_KIND: execute_import,
}
