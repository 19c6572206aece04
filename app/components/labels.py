"""How many of a task's labels the methods use: said wherever it matters, so that none stays unused without a word."""

from __future__ import annotations

from app import state
from app.components import wording
from engine.tasks import Task, is_own


def options(task: Task) -> list[int]:
    """Labels per class to choose from. For an own task the last one is all that there are."""
    offered = {*state.LABEL_BUDGETS, state.labels_per_class()}
    if is_own(task):
        most = state.all_labels(task)
        offered = {budget for budget in offered if budget < most} | {most}
    return sorted(offered)


def chosen(task: Task) -> int:
    """Which of `options` is chosen."""
    return min(state.labels_per_class(), state.all_labels(task)) if is_own(task) else state.labels_per_class()


def option_title(task: Task, budget: int) -> str:
    """An option of `options` in words."""
    return f"All ({int(task.available_labels().sum()):,})" if is_own(task) and is_all(task, budget) else str(budget)


def is_all(task: Task, budget: int) -> bool:
    """Whether so many labels per class are all that there are."""
    return budget >= state.all_labels(task)


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
