"""A finished student, handed over: its files in one of several formats, each of which is one file of `formats`."""

from engine.delivery.export import export_student, student_archive
from engine.delivery.formats import DEFAULT

__all__ = ["DEFAULT", "export_student", "student_archive"]
