"""Teachers: the catalogue of source models, where weights come from, how a model is built and what it costs, adding."""

from engine.teachers.about import TeacherDescription
from engine.teachers.catalogue import (
    added_teachers,
    all_teachers,
    bundled_names,
    damaged_teachers,
    get_teacher,
    remove_teacher,
    teacher_folder,
    teacher_names,
)
from engine.teachers.from_checkpoint import add_checkpoint
from engine.teachers.from_hub import add_from_hub
from engine.teachers.model import Network, check_student, cost, create, load_teacher
from engine.teachers.pretrained import Pretrained, Recommended, recommended, search
from engine.teachers.record import TeacherRecord, WeightSource, relation
from engine.teachers.weights import IMAGENET, imagenet_state, weight_file

__all__ = [
    "IMAGENET",
    "Network",
    "Pretrained",
    "Recommended",
    "TeacherDescription",
    "TeacherRecord",
    "WeightSource",
    "add_checkpoint",
    "add_from_hub",
    "added_teachers",
    "all_teachers",
    "bundled_names",
    "check_student",
    "cost",
    "create",
    "damaged_teachers",
    "get_teacher",
    "imagenet_state",
    "load_teacher",
    "recommended",
    "relation",
    "remove_teacher",
    "search",
    "teacher_folder",
    "teacher_names",
    "weight_file",
]
