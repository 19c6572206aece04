"""Evaluation: accuracy, confusion, calibration, intervals, paired differences, rank correlation. Knows arrays only."""

from engine.evaluation.classification import (
    accuracy,
    auroc,
    balanced_accuracy,
    calibration_error,
    per_class_accuracy,
)
from engine.evaluation.confusion import (
    Baselines,
    ClassScores,
    Confused,
    Estimate,
    baselines,
    class_scores,
    confusion_matrix,
    errors_by_confidence,
    most_confused,
)
from engine.evaluation.correlation import RankCorrelation, spearman, weighted_kendall
from engine.evaluation.groups import are_groups
from engine.evaluation.intervals import (
    Interval,
    PairedDifference,
    accuracy_interval,
    bootstrap_over_targets,
    mean_over_targets,
    paired_difference,
    wilson_interval,
)
from engine.evaluation.pairs import PairedAccuracies, paired_accuracies

__all__ = [
    "Baselines",
    "ClassScores",
    "Confused",
    "Estimate",
    "Interval",
    "PairedAccuracies",
    "PairedDifference",
    "RankCorrelation",
    "accuracy",
    "accuracy_interval",
    "are_groups",
    "auroc",
    "balanced_accuracy",
    "baselines",
    "bootstrap_over_targets",
    "calibration_error",
    "class_scores",
    "confusion_matrix",
    "errors_by_confidence",
    "mean_over_targets",
    "most_confused",
    "paired_accuracies",
    "paired_difference",
    "per_class_accuracy",
    "spearman",
    "weighted_kendall",
    "wilson_interval",
]
