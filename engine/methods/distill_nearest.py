"""DistillNearest: the loss of engine.methods.distilling, from the one teacher that is the most similar to the task."""

from __future__ import annotations

import math

from engine.methods.distilling import PAPER, Distilling
from engine.methods.method import Method

METHOD = Method(
    key="distill-nearest",
    title="DistillNearest",
    summary="The student learns from your labels and from the one teacher that fits your images best.",
    paper=PAPER,
    settings=Distilling,
    weights="similarity",
    p=math.inf,
)
