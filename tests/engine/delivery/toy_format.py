"""An export format of one file, as CONTRIBUTING.md says: the names of the classes, and nothing else."""

from engine.delivery.format import Format
from engine.files import write_bytes


def _write(student, folder):
    write_bytes(folder / "classes.txt", "\n".join(student.record.classes).encode())


FORMAT = Format("classes", "Class names", _write)
