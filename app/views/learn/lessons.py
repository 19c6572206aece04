"""The list of lessons, in their order."""

from app.views.learn import pseudo_labels, ranking, weights
from app.views.learn.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (pseudo_labels.LESSON, ranking.LESSON, weights.LESSON)
