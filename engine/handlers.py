"""Which function does which kind of job, for the worker process."""

from __future__ import annotations

from collections.abc import Mapping

from engine import maps
from engine.features import precomputed
from engine.intake import IMPORT_KIND, execute_import
from engine.jobs import Handler
from engine.runs import execute, extraction_job, panel, speed
from engine.runs.execution import KIND as RUN
from engine.teachers import from_checkpoint, from_hub

HANDLERS: Mapping[str, Handler] = {
    RUN: execute,
    extraction_job.KIND: extraction_job.execute_look,
    panel.KIND: panel.execute_panel,
    speed.KIND: speed.execute_speed,
    maps.KIND: maps.execute_map,
    IMPORT_KIND: execute_import,
    from_hub.KIND: from_hub.execute_hub,
    from_checkpoint.KIND: from_checkpoint.execute_checkpoint,
    precomputed.KIND: precomputed.execute_outputs,
}
