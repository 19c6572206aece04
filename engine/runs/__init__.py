"""Runs: one method, one seed, one task revision, one student, as a job whose folder stays; comparisons of runs."""

from engine.runs.comparison import (
    Comparison,
    Entry,
    LostRun,
    MethodMean,
    RunsRead,
    as_document,
    damaged_comparisons,
    list_comparisons,
    load_comparison,
    method_means,
    read_runs,
    run_again,
    start,
)
from engine.runs.estimates import seconds_left
from engine.runs.execution import CHECKPOINT, KIND, curve
from engine.runs.extraction_job import ExtractionTime, estimate_extraction, missing_outputs, request_extraction
from engine.runs.labeling import unlabeled_rows, worth_a_label
from engine.runs.panel import MeanRankPlaces, MetricPlaces, Place, TeacherPanel, known_panel, request_panel
from engine.runs.predicting import Which, predictions_of, predictions_path, request_predictions
from engine.runs.proposal import Proposal, proposal_for
from engine.runs.queue import QueueThread, cards_of, drain, line, waiting
from engine.runs.ranking import (
    DEFAULT_METRIC,
    Candidate,
    Ranking,
    active_weights,
    candidates,
    effective_teachers,
    rank,
    ranked_rows,
)
from engine.runs.recorded import recorded_comparison, recorded_predictions
from engine.runs.removal import remove_teacher
from engine.runs.spec import RunSpec, defaults, plan, run_spec_from
from engine.runs.speed import Speed, estimate_seconds, known_speed, request_speed
from engine.runs.users import remove_task, users_of_task
from engine.runs.verdict import (
    MEASURED_IMAGES,
    Measured,
    Measurements,
    measurements,
    order_verdict,
    request_measurements,
    single_teacher_runs,
    single_teacher_specs,
    unfinished_measurements,
)

__all__ = [
    "CHECKPOINT",
    "DEFAULT_METRIC",
    "KIND",
    "MEASURED_IMAGES",
    "Candidate",
    "Comparison",
    "Entry",
    "ExtractionTime",
    "LostRun",
    "MeanRankPlaces",
    "Measured",
    "Measurements",
    "MethodMean",
    "MetricPlaces",
    "Place",
    "Proposal",
    "QueueThread",
    "Ranking",
    "RunSpec",
    "RunsRead",
    "Speed",
    "TeacherPanel",
    "Which",
    "active_weights",
    "as_document",
    "candidates",
    "cards_of",
    "curve",
    "damaged_comparisons",
    "defaults",
    "drain",
    "effective_teachers",
    "estimate_extraction",
    "estimate_seconds",
    "known_panel",
    "known_speed",
    "line",
    "list_comparisons",
    "load_comparison",
    "measurements",
    "method_means",
    "missing_outputs",
    "order_verdict",
    "plan",
    "predictions_of",
    "predictions_path",
    "proposal_for",
    "rank",
    "ranked_rows",
    "read_runs",
    "recorded_comparison",
    "recorded_predictions",
    "remove_task",
    "remove_teacher",
    "request_extraction",
    "request_measurements",
    "request_panel",
    "request_predictions",
    "request_speed",
    "run_again",
    "run_spec_from",
    "seconds_left",
    "single_teacher_runs",
    "single_teacher_specs",
    "start",
    "unfinished_measurements",
    "unlabeled_rows",
    "users_of_task",
    "waiting",
    "worth_a_label",
]
