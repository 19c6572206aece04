"""Which function does which kind of job, for the worker process: a worker loads what its own kind needs."""

from __future__ import annotations

import gc
import pkgutil
from collections.abc import Iterator, Mapping

from engine.errors import UnknownNameError
from engine.jobs import IMPORT, INTERACTIVE, Handler
from engine.uncompiled import defer_compiler, hide_pandas

_PLACES = {
    "run": "engine.runs.execution:execute",
    "extraction": "engine.runs.extraction_job:execute_extraction",
    "look": "engine.runs.extraction_job:execute_extraction",  # as version 0.1 called it
    "predictions": "engine.runs.predictions_job:execute_predictions",
    "panel": "engine.runs.panel:execute_panel",
    "suspects": "engine.runs.suspects:execute_suspects",
    "speed": "engine.runs.speed:execute_speed",
    "map": "engine.maps:execute_map",
    "student-maps": "engine.runs.student_maps:execute_student_maps",
    "import": "engine.intake.import_job:execute_import",
    "predict": "engine.delivery.predict_job:execute_prediction",
    "formats": "engine.delivery.format_table:execute_formats",
    "add-hub": "engine.teachers.from_hub:execute_hub",
    "add-checkpoint": "engine.teachers.from_checkpoint:execute_checkpoint",
    "add-outputs": "engine.features.precomputed:execute_outputs",
}


_FIRST = {INTERACTIVE: "extraction", IMPORT: "import"}  # what jobs of a lane need most; of a device's, a run


class _Handlers(Mapping[str, Handler]):
    """Handlers by kind of job; asking for one loads it, with the libraries that it needs."""

    def __getitem__(self, kind: str) -> Handler:
        if kind not in _PLACES:
            raise UnknownNameError("kind of job", kind, _PLACES)
        defer_compiler()
        hide_pandas()
        gc.disable()  # thousands of modules bring objects that all stay: looking for garbage is a fifth of the time
        try:
            handler: Handler = pkgutil.resolve_name(_PLACES[kind])
        finally:
            gc.enable()
        return handler

    def __contains__(self, kind: object) -> bool:
        return kind in _PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


HANDLERS: Mapping[str, Handler] = _Handlers()


def load_for(lane: str) -> None:
    """Load what the jobs of a lane need, before there is one."""
    HANDLERS[_FIRST.get(lane, "run")]
