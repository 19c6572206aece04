"""A finished student, handed over: its files in one of several formats, each of which is one file of `formats`; and at
work: what it says of new images, and what people say of that.
"""

from engine.delivery.camtrap import camtrap_observations
from engine.delivery.corrections import SentBack, send_back
from engine.delivery.export import export_student, student_archive
from engine.delivery.finished import FinishedRun, finished_students
from engine.delivery.formats import DEFAULT
from engine.delivery.predict_job import (
    KeptPredictions,
    PredictSpec,
    predictions_of_task,
    request_prediction,
    spec_of_prediction,
)
from engine.delivery.predicting import Predicting, ready_student
from engine.delivery.prediction_rows import UNSURE, rows_as_csv, rows_as_parquet, with_threshold

__all__ = [
    "DEFAULT",
    "UNSURE",
    "FinishedRun",
    "KeptPredictions",
    "PredictSpec",
    "Predicting",
    "SentBack",
    "camtrap_observations",
    "export_student",
    "finished_students",
    "predictions_of_task",
    "ready_student",
    "request_prediction",
    "rows_as_csv",
    "rows_as_parquet",
    "send_back",
    "spec_of_prediction",
    "student_archive",
    "with_threshold",
]
