"""The list of lessons, in their order."""

from app.views.learn import biased_data, consensus, few_labels, pairs, pseudo_labels, ranking, weights
from app.views.learn.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    pseudo_labels.LESSON,
    ranking.LESSON,
    weights.LESSON,
    pairs.LESSON,
    consensus.LESSON,
    few_labels.LESSON,
    biased_data.LESSON,
)
