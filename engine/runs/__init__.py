"""Runs: one method, one seed, one task revision, one student, as a job whose folder stays; comparisons of runs."""

from engine.runs.comparison import (
    Comparison,
    Entry,
    MethodMean,
    as_document,
    common_ground,
    entries,
    finished_results,
    list_comparisons,
    load_comparison,
    method_means,
    read_entry,
    runs_root,
    start,
)
from engine.runs.execution import CURVE_EVENT, KIND, execute, read_result
from engine.runs.labeling import Suggestion, unlabeled_rows, worth_a_label
from engine.runs.methods import METHODS, Method, get_method, weighted
from engine.runs.panel import ConsensusPlaces, MetricPlaces, Place, TeacherPanel, teacher_panel
from engine.runs.queue import QueueThread, roots, worker_command
from engine.runs.ranking import (
    DEFAULT_METRIC,
    Candidate,
    Ranked,
    Ranking,
    active_weights,
    candidates,
    effective_teachers,
    rank,
)
from engine.runs.spec import RunSpec, plan, run_spec_from
from engine.runs.users import TaskUsers, users_of_task

__all__ = [
    "CURVE_EVENT",
    "DEFAULT_METRIC",
    "KIND",
    "METHODS",
    "Candidate",
    "Comparison",
    "ConsensusPlaces",
    "Entry",
    "Method",
    "MethodMean",
    "MetricPlaces",
    "Place",
    "QueueThread",
    "Ranked",
    "Ranking",
    "RunSpec",
    "Suggestion",
    "TaskUsers",
    "TeacherPanel",
    "active_weights",
    "as_document",
    "candidates",
    "common_ground",
    "effective_teachers",
    "entries",
    "execute",
    "finished_results",
    "get_method",
    "list_comparisons",
    "load_comparison",
    "method_means",
    "plan",
    "rank",
    "read_entry",
    "read_result",
    "roots",
    "run_spec_from",
    "runs_root",
    "start",
    "teacher_panel",
    "unlabeled_rows",
    "users_of_task",
    "weighted",
    "worker_command",
    "worth_a_label",
]
