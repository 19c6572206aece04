"""A finished student, handed over: its files in one of several formats, each of which is one file of `formats`; and at
work: what it says of new images.
"""

from engine.delivery.calibration import Calibration, HeldOut, Reliability, SetRule, calibration_of, run_calibration
from engine.delivery.export import export_student, student_archive
from engine.delivery.formats import DEFAULT
from engine.delivery.predicting import Predicting, ready_student
from engine.delivery.prediction_rows import UNSURE
from engine.delivery.threshold import CostRule, cheapest_threshold

__all__ = [
    "DEFAULT",
    "UNSURE",
    "Calibration",
    "CostRule",
    "HeldOut",
    "Predicting",
    "Reliability",
    "SetRule",
    "calibration_of",
    "cheapest_threshold",
    "export_student",
    "ready_student",
    "run_calibration",
    "student_archive",
]
