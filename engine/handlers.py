"""Which function does which kind of job, for the worker process."""

from __future__ import annotations

from collections.abc import Mapping

from engine.jobs import Handler
from engine.runs import KIND, execute

HANDLERS: Mapping[str, Handler] = {KIND: execute}
