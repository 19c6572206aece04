"""What the page Learn shows of a task: a little material, what lessons compute of it, their code and their
notebooks.
"""

from engine.lessons.compared_students import students_of
from engine.lessons.images_of_lesson import LessonMaterial, lesson_material
from engine.lessons.lesson_probes import WeightStep, probe_answers, weight_steps
from engine.lessons.notebook_file import notebook
from engine.lessons.order_guess import JudgedOrder, judge_order
from engine.lessons.recorded_outputs import recorded_material
from engine.lessons.source_excerpt import excerpt
from engine.lessons.teacher_opinions import TeacherOpinion, alike, opinions

__all__ = [
    "JudgedOrder",
    "LessonMaterial",
    "TeacherOpinion",
    "WeightStep",
    "alike",
    "excerpt",
    "judge_order",
    "lesson_material",
    "notebook",
    "opinions",
    "probe_answers",
    "recorded_material",
    "students_of",
    "weight_steps",
]
