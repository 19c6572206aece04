"""DistillRandom: the loss of engine.methods.distilling, from one random teacher. A control."""

from __future__ import annotations

from engine.methods.distilling import PAPER, Distilling
from engine.methods.method import Method

METHOD = Method(
    key="distill-random",
    title="DistillRandom",
    summary="The student learns from your labels and from one random teacher: a control.",
    paper=PAPER,
    settings=Distilling,
    weights="random",
)
