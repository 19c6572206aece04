"""A finished student, handed over: its files in one of several formats, each of which is one file of `formats`; and at
work: what it says of new images.
"""

from engine.delivery.export import export_student, student_archive
from engine.delivery.formats import DEFAULT
from engine.delivery.predicting import Predicting, ready_student
from engine.delivery.prediction_rows import UNSURE
from engine.delivery.pushing import check_push, push

__all__ = [
    "DEFAULT",
    "UNSURE",
    "Predicting",
    "check_push",
    "export_student",
    "push",
    "ready_student",
    "student_archive",
]
