"""The training fields that a user may change beyond the first few, each with what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine.training import recipe


@dataclass(frozen=True)
class Number:
    """A number of TrainSpec: its name there, its name on screen, its range, and what it does."""

    name: str
    label: str
    least: float
    most: float
    step: float
    form: str
    meaning: str


DISTILLATION = (
    Number("labeled_share", "λ, share of the labels", 0.0, 1.0, 0.05, "%.2f",
           "The labeled images' share of the distillation loss; the teachers get the rest. 1 is fine-tuning."),
    Number("temperature", "Temperature", 0.1, 10.0, 0.1, "%.1f",
           "Above 1 softens the teachers' pseudo-labels, below 1 sharpens them."),
)  # fmt: skip
CONSENSUS = (
    Number("sharpness", "Consensus: sharpness", 0.1, 10.0, 0.5, "%.1f",
           "Exponent on the probabilities that the teachers agree on: above 1 makes them surer."),
    Number("neighbors", "Consensus: neighbors", 0, 100, 1, "%d",
           "How many similar images an image hears; 0 lets each image stand alone."),
    Number("spread", "Consensus: spread", 0.0, 0.95, 0.05, "%.2f",
           "The neighbors' share in what is said of an image."),
    Number("teachers_share", "Consensus: teachers' own classes", 0.0, 1.0, 0.05, "%.2f",
           "Share of DistillWeighted's loss beside the consensus."),
)  # fmt: skip
OPTIMIZATION = (
    Number("learning_rate", "Learning rate", 0.0001, 1.0, 0.005, "%.4f",
           "Of the student, at its peak. Too high and the loss is no longer a number."),
    Number("head_factor", "Teachers' heads faster by", 0.1, 100.0, 1.0, "%.1f",
           "Teachers' heads start from nothing: their learning rate is the student's times this."),
    Number("warm_up", "Warm-up", 0.0, 0.9, 0.05, "%.2f",
           "Share of the steps in which the learning rate rises; afterwards it falls along a cosine to 0."),
    Number("momentum", "Momentum", 0.0, 0.999, 0.05, "%.3f", "Of stochastic gradient descent."),
    Number("weight_decay", "Weight decay", 0.0, 0.1, 0.0001, "%.4f", "Of matrices and kernels only."),
)  # fmt: skip
FIXMATCH = (
    Number("fixmatch_threshold", "FixMatch: sure from", 0.0, 1.0, 0.01, "%.2f",
           "FixMatch learns only from unlabeled images that it is this sure of."),
    Number("fixmatch_weight", "FixMatch: weight", 0.0, 10.0, 0.1, "%.1f",
           "Weight of the unlabeled images' loss beside the labeled ones'."),
)  # fmt: skip
VIEWS = (1, 4, 8)


def advanced_changes(device: str) -> dict[str, Any]:
    """Widgets for the fields, and the ones that differ from the recipe's defaults."""
    chosen: dict[str, Any] = {}
    st.markdown("**Distillation**")
    with st.grid(4, min_column_width=180):
        for field in DISTILLATION:
            chosen[field.name] = _number(field)
        chosen["views"] = st.selectbox(
            "K, views of the teachers",
            VIEWS,
            key="distill-views",
            persist_state="session",
            help="Teachers describe each image in K fixed crops, and the student learns on those. They look K times "
            "as long before the first run; what they saw is kept.",
        )
    st.markdown("**DistillConsensus**")
    with st.grid(4, min_column_width=180):
        for field in CONSENSUS:
            chosen[field.name] = _number(field)
    st.markdown("**Optimization**")
    with st.grid(4, min_column_width=180):
        for field in OPTIMIZATION:
            chosen[field.name] = _number(field)
        chosen["batch_norm"] = st.selectbox(
            "Batch normalization",
            ("joint", "separate", "frozen"),
            key="distill-batch-norm",
            persist_state="session",
            help="Joint: labeled and other images share a step's statistics. Separate: each has its own. Frozen: those "
            "of the first weights stay.",
        )
        chosen["start"] = st.selectbox(
            "The student starts from",
            ("imagenet", "random"),
            format_func={"imagenet": "ImageNet weights", "random": "random weights"}.__getitem__,
            key="distill-first-weights",
            persist_state="session",
            help="ImageNet weights are the strong start that the methods are compared from.",
        )
        chosen["evaluations"] = int(
            st.number_input(
                "Points of the curve",
                1,
                200,
                _default("evaluations"),
                key="distill-evaluations",
                persist_state="session",
                help="How often the held-out accuracy is looked at during a run. It does not touch training.",
            )
        )
        if device == "cuda":
            chosen["precision"] = st.selectbox(
                "Precision",
                ("fp32", "bf16"),
                key="distill-precision",
                persist_state="session",
                help="bf16 is faster on recent GPUs and rounds more.",
            )
    st.markdown("**FixMatch**")
    with st.grid(4, min_column_width=180):
        for field in FIXMATCH:
            chosen[field.name] = _number(field)
    return {name: value for name, value in chosen.items() if value is not None and value != _default(name)}


def _number(field: Number) -> float:
    kind = type(field.step)  # whole numbers stay whole
    return kind(
        st.number_input(
            field.label,
            kind(field.least),
            kind(field.most),
            kind(_default(field.name)),
            field.step,
            field.form,
            key=f"distill-{field.name}",
            help=f"{field.meaning} Default {_default(field.name):g}.",
            persist_state="session",
        )
    )


def _default(name: str) -> Any:
    return getattr(recipe("distill"), name)
