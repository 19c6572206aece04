"""What was found in a task's images and labels, and what the user decides about it.

task = open_task(workspace, name)           the task, with split and classes as they follow from all labels
now = checked(task)                         Checked: findings, about (notes, unreadable files, what was done to make
                                            RGB), facts (sizes, groups, copies), decisions, split_methods, advice
for f in now.findings: ...                  Finding: key, severity ("problem", "warning", "note"), title, text,
                                            count, choices (key, title), choice in force, default, decided (by the
                                            user), rows or clusters (to be shown), names (files or classes, remark)
task = decide(task, findings={"copies": "keep"}, split="by-group", test_share=.3, resize="pad", student_size=96)
                                            a new revision of labels and split, and a new task.json; None takes a
                                            decision back. Accepting a finding is deciding for its choice in force
"""

from engine.review.decisions import Checked, checked, count_open, decide, open_task
from engine.review.findings import Finding
from engine.review.geometry import STUDENT_SIZES, relative_cost

__all__ = [
    "STUDENT_SIZES",
    "Checked",
    "Finding",
    "checked",
    "count_open",
    "decide",
    "open_task",
    "relative_cost",
]
