"""Training: a function of (TrainSpec, data, seed, hooks) that gives a student."""

from engine.training.data import EvaluationData, TeacherSignal, TrainData
from engine.training.loop import Checkpoint, Hooks, Point, Trained, UnfitCheckpointError, predict, train
from engine.training.spec import OBJECTIVES, WITH_TEACHERS, TrainSpec, recipe, spec_from
from engine.training.student import build_student, input_statistics

__all__ = [
    "OBJECTIVES",
    "WITH_TEACHERS",
    "Checkpoint",
    "EvaluationData",
    "Hooks",
    "Point",
    "TeacherSignal",
    "TrainData",
    "TrainSpec",
    "Trained",
    "UnfitCheckpointError",
    "build_student",
    "input_statistics",
    "predict",
    "recipe",
    "spec_from",
    "train",
]
