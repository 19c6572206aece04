"""What the page Learn shows of a task: a little material, what lessons compute of it, their code and notebooks."""

from engine.lessons.biased_labels import BiasedLabels, TrainedOn, biased, can_be_biased, doubted, repaired, trained_on
from engine.lessons.compared_students import RecordedGain, recorded_gains, students_of
from engine.lessons.images_of_lesson import LessonMaterial, lesson_material
from engine.lessons.lesson_probes import (
    ConsensusStages,
    LabelStep,
    WeightStep,
    consensus_stages,
    label_steps,
    probe_answers,
    weight_steps,
)
from engine.lessons.notebook_file import notebook
from engine.lessons.order_guess import JudgedOrder, judge_order
from engine.lessons.recorded_outputs import recorded_material
from engine.lessons.source_excerpt import excerpt
from engine.lessons.teacher_opinions import TeacherOpinion, alike, opinions

__all__ = [
    "BiasedLabels",
    "ConsensusStages",
    "JudgedOrder",
    "LabelStep",
    "LessonMaterial",
    "RecordedGain",
    "TeacherOpinion",
    "TrainedOn",
    "WeightStep",
    "alike",
    "biased",
    "can_be_biased",
    "consensus_stages",
    "doubted",
    "excerpt",
    "judge_order",
    "label_steps",
    "lesson_material",
    "notebook",
    "opinions",
    "probe_answers",
    "recorded_gains",
    "recorded_material",
    "repaired",
    "students_of",
    "trained_on",
    "weight_steps",
]
