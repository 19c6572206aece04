"""A finished student, handed over: its files in one of several formats, each of which is one file of `formats`; and at
work: what it says of new images, and what people say of that.
"""

from engine.delivery.as_teacher import add_as_teacher, request_as_teacher, teacher_of
from engine.delivery.calibration import Calibration, HeldOut, Reliability, SetRule, calibration_of, run_calibration
from engine.delivery.camtrap import camtrap_observations
from engine.delivery.corrections import SentBack, send_back
from engine.delivery.export import export_student, student_archive
from engine.delivery.finished import TaskStudent, finished_run, students_of_task
from engine.delivery.format_table import (
    FormatTable,
    format_archive,
    formats_job,
    measure_formats,
    measured_formats,
    request_formats,
)
from engine.delivery.formats import DEFAULT
from engine.delivery.judged import Judged, judge, shared_by
from engine.delivery.likeness import QUANTILE, kept_likeness
from engine.delivery.new_images import Predicting
from engine.delivery.predict_job import (
    KeptPredictions,
    PredictSpec,
    damaged_predictions,
    forget_prediction,
    predictions_of_task,
    request_prediction,
    spec_of_prediction,
)
from engine.delivery.prediction_rows import UNSURE, rows_as_csv, rows_as_parquet, with_threshold
from engine.delivery.pushing import check_push, push
from engine.delivery.ready import ready_student
from engine.delivery.report import report_html, write_report
from engine.delivery.report_material import RECORDED_PREFIX
from engine.delivery.result_sentences import FirstSentence, first_sentence
from engine.delivery.threshold import CostRule, cheapest_threshold
from engine.delivery.trust import basis_sentence, decided_sentence, reliability_sentence, sets_sentence

__all__ = [
    "DEFAULT",
    "QUANTILE",
    "RECORDED_PREFIX",
    "UNSURE",
    "Calibration",
    "CostRule",
    "FirstSentence",
    "FormatTable",
    "HeldOut",
    "Judged",
    "KeptPredictions",
    "PredictSpec",
    "Predicting",
    "Reliability",
    "SentBack",
    "SetRule",
    "TaskStudent",
    "add_as_teacher",
    "basis_sentence",
    "calibration_of",
    "camtrap_observations",
    "cheapest_threshold",
    "check_push",
    "damaged_predictions",
    "decided_sentence",
    "export_student",
    "finished_run",
    "first_sentence",
    "forget_prediction",
    "format_archive",
    "formats_job",
    "judge",
    "kept_likeness",
    "measure_formats",
    "measured_formats",
    "predictions_of_task",
    "push",
    "ready_student",
    "reliability_sentence",
    "report_html",
    "request_as_teacher",
    "request_formats",
    "request_prediction",
    "rows_as_csv",
    "rows_as_parquet",
    "run_calibration",
    "send_back",
    "sets_sentence",
    "shared_by",
    "spec_of_prediction",
    "student_archive",
    "students_of_task",
    "teacher_of",
    "with_threshold",
    "write_report",
]
