"""Teachers: the catalogue of source models, where weights come from, how a model is built, what it costs."""

from engine.teachers.catalogue import all_teachers, get_teacher, teacher_names
from engine.teachers.model import Network, check_architecture, cost, create, load_teacher
from engine.teachers.record import TeacherRecord, WeightSource, as_json, record_from, relation
from engine.teachers.weights import IMAGENET, imagenet_state, weight_file

__all__ = [
    "IMAGENET",
    "Network",
    "TeacherRecord",
    "WeightSource",
    "all_teachers",
    "as_json",
    "check_architecture",
    "cost",
    "create",
    "get_teacher",
    "imagenet_state",
    "load_teacher",
    "record_from",
    "relation",
    "teacher_names",
    "weight_file",
]
