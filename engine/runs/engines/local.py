"""This machine: its lanes run jobs, one at a time on its processor and one on each card (`engine/runs/queue.py`)."""

from engine.runs.engines.interface import LOCAL, Engine

ENGINE = Engine(LOCAL, "This machine")
