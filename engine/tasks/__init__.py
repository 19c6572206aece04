"""Tasks: image tables, label and split revisions, views."""

from engine.tasks.catalogue import add_task_file, bundled_names, bundled_record, open_task, task_names
from engine.tasks.images import ImageTable, decode, write_image_table
from engine.tasks.task import NO_LABEL, Task, TaskRecord, load_task, write_revision, write_task_files

__all__ = [
    "NO_LABEL",
    "ImageTable",
    "Task",
    "TaskRecord",
    "add_task_file",
    "bundled_names",
    "bundled_record",
    "decode",
    "load_task",
    "open_task",
    "task_names",
    "write_image_table",
    "write_revision",
    "write_task_files",
]
