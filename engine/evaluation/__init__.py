"""Evaluation: accuracy, calibration, intervals, paired differences and rank correlation. Knows arrays only."""

from engine.evaluation.classification import (
    accuracy,
    auroc,
    balanced_accuracy,
    calibration_error,
    per_class_accuracy,
)
from engine.evaluation.correlation import RankCorrelation, spearman, weighted_kendall
from engine.evaluation.intervals import (
    Interval,
    PairedDifference,
    accuracy_interval,
    bootstrap_over_targets,
    mean_over_targets,
    paired_accuracy_interval,
    paired_difference,
    wilson_interval,
)

__all__ = [
    "Interval",
    "PairedDifference",
    "RankCorrelation",
    "accuracy",
    "accuracy_interval",
    "auroc",
    "balanced_accuracy",
    "bootstrap_over_targets",
    "calibration_error",
    "mean_over_targets",
    "paired_accuracy_interval",
    "paired_difference",
    "per_class_accuracy",
    "spearman",
    "weighted_kendall",
    "wilson_interval",
]
