"""DistillWeighted: the loss of engine.methods.distilling, from all teachers, weighed by their similarity."""

from __future__ import annotations

from engine.methods.distilling import PAPER, Distilling
from engine.methods.method import Method

DEFAULT_P = 12.0  # ours

METHOD = Method(
    key="distill-weighted",
    title="DistillWeighted",
    summary="The student learns from your labels and from all teachers, the more the better they fit.",
    paper=PAPER,
    settings=Distilling,
    weights="similarity",
    p=DEFAULT_P,
    p_varies=True,
    by_hand=True,
    preselected=True,
)
