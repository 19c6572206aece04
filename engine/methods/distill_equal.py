"""DistillEqual: the loss of engine.methods.distilling, from all teachers alike."""

from __future__ import annotations

from engine.methods.distilling import PAPER, Distilling
from engine.methods.method import Method

METHOD = Method(
    key="distill-equal",
    title="DistillEqual",
    summary="The student learns from your labels and from all teachers alike.",
    paper=PAPER,
    settings=Distilling,
    weights="similarity",
    p=0.0,
)
