"""Teachers: the catalogue of source models, where weights come from, how a model is built and what it costs, adding."""

from engine.teachers.about import TeacherDescription
from engine.teachers.averaging import averaged_weights
from engine.teachers.catalogue import (
    added_teachers,
    all_teachers,
    bundled_names,
    bundled_teacher,
    damaged_teachers,
    get_teacher,
    teacher_names,
)
from engine.teachers.configured import POOLINGS, timm_configuration
from engine.teachers.from_checkpoint import add_checkpoint, key_difference, numbers_text, request_checkpoint
from engine.teachers.from_hub import add_from_hub, request_hub, weights_here
from engine.teachers.install import stage
from engine.teachers.model import Network, check_student, classifier_names, cost, create, input_statistics, load_teacher
from engine.teachers.pretrained import (
    Pretrained,
    Recommended,
    architectures,
    get_pretrained,
    known_licenses,
    recommended,
    search,
)
from engine.teachers.record import TeacherRecord, relation, same_collection
from engine.teachers.weights import IMAGENET, bundled_imagenet_state, imagenet_state

__all__ = [
    "IMAGENET",
    "POOLINGS",
    "Network",
    "Pretrained",
    "Recommended",
    "TeacherDescription",
    "TeacherRecord",
    "add_checkpoint",
    "add_from_hub",
    "added_teachers",
    "all_teachers",
    "architectures",
    "averaged_weights",
    "bundled_imagenet_state",
    "bundled_names",
    "bundled_teacher",
    "check_student",
    "classifier_names",
    "cost",
    "create",
    "damaged_teachers",
    "get_pretrained",
    "get_teacher",
    "imagenet_state",
    "input_statistics",
    "key_difference",
    "known_licenses",
    "load_teacher",
    "numbers_text",
    "recommended",
    "relation",
    "request_checkpoint",
    "request_hub",
    "same_collection",
    "search",
    "stage",
    "teacher_names",
    "timm_configuration",
    "weights_here",
]
