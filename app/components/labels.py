"""How many of a task's labels the methods use: said wherever it matters, so that none stays unused without a word."""

from __future__ import annotations

from app import state
from app.components import wording
from engine.runs import ranked_rows
from engine.tasks import Task, all_labels, is_own


def options(task: Task) -> list[int]:
    """Numbers of labels per class to choose from: those that leave some label out, and the chosen one."""
    return sorted({each for each in state.LABEL_BUDGETS if each < all_labels(task)} | {state.labels_per_class()})


def used(task: Task) -> str:
    """What this session's choice comes to: "30 of your 83 labels", or "45 labeled images"."""
    number, there = len(task.labeled_rows(state.draw())), int(task.available_labels().sum())
    if not is_own(task):
        return wording.count(number, "labeled image")
    return f"all of your {there:,} labels" if number == there else f"{number:,} of your {there:,} labels"


def per_class(task: Task) -> str:
    """The choice itself: "5 per class", or "up to 5 per class" where some class has fewer."""
    budget, available = state.labels_per_class(), task.available_labels()
    if int(available.min()) >= budget:
        return f"{budget} per class"
    return f"up to {min(budget, int(available.max()))} per class"


def name(task: Task, budget: int) -> str:
    """So many labels per class beside other numbers of them: "5", or "all"."""
    return "all" if budget >= all_labels(task) else str(budget)


def in_words(task: Task, budget: int) -> str:
    """So many labels per class in words: "5 labels per class", or "all labels"."""
    return "all labels" if budget >= all_labels(task) else f"{wording.count(budget, 'label')} per class"


def ranked(task: Task) -> str | None:
    """Of how many of them a ranking is made, where that is fewer."""
    rows = ranked_rows(task, state.draw())
    if len(rows) == len(task.labeled_rows(state.draw())):
        return None
    return f"The ranking is made on {len(rows):,} of them, spread evenly over the classes."
