"""A task: image table, revisions of labels and split, what its import noted, the catalogue of all tasks, the trash.

    task = task_as_labeled(workspace, name)     as it lies on disk; `engine.review.open_task` reviews labels by hand too
    task = relabel(task, {row: "cat", 7: None}) labels by hand, many at once; classes may be new. Undo: relabel with
                                                what given_labels(task) said before. engine.selection.k_center says
                                                which images are worth a label
    task = add_images(task, [NewImage(...), ...])   more labeled images, at the end of the table; training images
    remove_task(workspace, name)                to the trash with its features, if it is an own one; then
                                                restore_task(workspace, id) and removed_tasks

Every function raises WorkbenchErrors alone, each a sentence to be shown. A task that comes with the program is no
`is_own(task)`: it takes no labels. `task.splits` may say "out" for an image that takes no part.
"""

from engine.tasks.budget import ALL, Budget, all_labels, labels_per_class, usual_draw
from engine.tasks.catalogue import bundled_names, task_as_labeled, task_names
from engine.tasks.confirmed import confirm, confirmed_labels
from engine.tasks.draw import Draw
from engine.tasks.facts import read_groups, read_import_summary, read_small
from engine.tasks.growing import NewImage, add_images
from engine.tasks.image_groups import groups_of
from engine.tasks.labels import given_label_numbers, given_labels, is_own, relabel
from engine.tasks.names import check_task_name, clean_text, task_name
from engine.tasks.questions import Interpretation, Question, as_option, undecided
from engine.tasks.task import NO_LABEL, Task
from engine.tasks.trash import remove_task, removed_tasks, restore_task

__all__ = [
    "ALL",
    "NO_LABEL",
    "Budget",
    "Draw",
    "Interpretation",
    "NewImage",
    "Question",
    "Task",
    "add_images",
    "all_labels",
    "as_option",
    "bundled_names",
    "check_task_name",
    "clean_text",
    "confirm",
    "confirmed_labels",
    "given_label_numbers",
    "given_labels",
    "groups_of",
    "is_own",
    "labels_per_class",
    "read_groups",
    "read_import_summary",
    "read_small",
    "relabel",
    "remove_task",
    "removed_tasks",
    "restore_task",
    "task_as_labeled",
    "task_name",
    "task_names",
    "undecided",
    "usual_draw",
]
