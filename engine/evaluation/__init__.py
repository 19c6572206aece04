"""Evaluation: accuracy, confusion, calibration, prediction sets, thresholds, costs, intervals, paired differences and
rank correlation. Knows arrays only.
"""

from engine.evaluation.binary import (
    RocCurve,
    ThresholdResult,
    area_under_roc,
    at_threshold,
    decided_result,
    fit_cost_threshold,
    roc_curve,
)
from engine.evaluation.classification import accuracy, auroc, balanced_accuracy, calibration_error, per_class_accuracy
from engine.evaluation.conformal import COVERAGES, fit_set_threshold, prediction_sets
from engine.evaluation.confusion import (
    ClassScores,
    Estimate,
    baselines,
    class_scores,
    confusion_matrix,
    errors_by_confidence,
    most_confused,
    most_confused_classes,
)
from engine.evaluation.correlation import RankCorrelation, spearman, weighted_kendall
from engine.evaluation.costs import least_cost_classes, mean_cost, ordered_costs
from engine.evaluation.crossfit import FEWEST_HELD_OUT, cross_fitted, halves, too_few
from engine.evaluation.intervals import (
    Interval,
    PairedDifference,
    accuracy_interval,
    bootstrap_over_targets,
    mean_over_targets,
    paired_difference,
    share_interval,
    t_interval,
    wilson_interval,
)
from engine.evaluation.paired import PairedAccuracies, paired_accuracies
from engine.evaluation.reliability import (
    CalibrationError,
    ReliabilityBin,
    at_temperature,
    calibration_error_interval,
    fit_temperature,
    reliability,
)
from engine.evaluation.selective import CoverageCurve, CoveragePoint, coverage_curve

__all__ = [
    "COVERAGES",
    "FEWEST_HELD_OUT",
    "CalibrationError",
    "ClassScores",
    "CoverageCurve",
    "CoveragePoint",
    "Estimate",
    "Interval",
    "PairedAccuracies",
    "PairedDifference",
    "RankCorrelation",
    "ReliabilityBin",
    "RocCurve",
    "ThresholdResult",
    "accuracy",
    "accuracy_interval",
    "area_under_roc",
    "at_temperature",
    "at_threshold",
    "auroc",
    "balanced_accuracy",
    "baselines",
    "bootstrap_over_targets",
    "calibration_error",
    "calibration_error_interval",
    "class_scores",
    "confusion_matrix",
    "coverage_curve",
    "cross_fitted",
    "decided_result",
    "errors_by_confidence",
    "fit_cost_threshold",
    "fit_set_threshold",
    "fit_temperature",
    "halves",
    "least_cost_classes",
    "mean_cost",
    "mean_over_targets",
    "most_confused",
    "most_confused_classes",
    "ordered_costs",
    "paired_accuracies",
    "paired_difference",
    "per_class_accuracy",
    "prediction_sets",
    "reliability",
    "roc_curve",
    "share_interval",
    "spearman",
    "t_interval",
    "too_few",
    "weighted_kendall",
    "wilson_interval",
]
