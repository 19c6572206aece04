"""Training: a function of (TrainSpec, objective, data, seed, hooks) that gives a student."""

from engine.training.arithmetic import Arithmetic, choose, plain
from engine.training.batches import Batch, Batches, Inputs
from engine.training.data import EvaluationData, Rows, StartWeights, TrainData
from engine.training.fields import Field, NumberInput, choice, made, number, own_fields, share
from engine.training.loop import Checkpoint, Hooks, Point, Trained, predict, train
from engine.training.objective import Loss, Objective, OnLabels, Opinion, Term, features_of_both
from engine.training.spec import TrainSpec
from engine.training.state import UnfitCheckpointError
from engine.training.student_network import Student

__all__ = [
    "Arithmetic",
    "Batch",
    "Batches",
    "Checkpoint",
    "EvaluationData",
    "Field",
    "Hooks",
    "Inputs",
    "Loss",
    "NumberInput",
    "Objective",
    "OnLabels",
    "Opinion",
    "Point",
    "Rows",
    "StartWeights",
    "Student",
    "Term",
    "TrainData",
    "TrainSpec",
    "Trained",
    "UnfitCheckpointError",
    "choice",
    "choose",
    "features_of_both",
    "made",
    "number",
    "own_fields",
    "plain",
    "predict",
    "share",
    "train",
]
