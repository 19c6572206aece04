"""Tasks: image tables, labels, splits, views; and the way in for one's own images.

From files to a task, as page and command line use it:

    settings = import_settings(home)            limits and allow-listed roots, from settings.json of the workspace
    source = keep_upload([(name, file), ...])   what a browser dropped (one ZIP or table, or a folder's files), kept in
                                                the workspace: "upload:<id>". Or a path (the app: check_allowed first),
                                                or "torchvision:CIFAR10" (the names are in TORCHVISION_SETS)
    found = propose(source)                     an Inventory before anything is decoded: layout_title, items (name,
                                                label, split, group), columns in use, all_columns, notes, skipped.
                                                Call found.close() afterwards: a process of its own reads the source.
                                                About two seconds for 100,000 files
    now = preview(ImportRequest(source, ...))   the same in numbers, with some images as they will be read: for a page
    ways = read_in_ways(wanted, names, readings)  some of them in several Readings, for a choice of how more than 8
                                                bits become 8
    wanted = ImportRequest(source, title, ...)  every other field has a default: columns, classes, reading (channels,
                                                range, window), split, geometry. wanted.task is the task's name;
                                                check_task_name(wanted.task, task_names(home)) says if it is free
    job = request_import(home, wanted)          queued for the device IMPORT_DEVICE, a queue of its own: the app keeps
                                                its thread with state.queue(IMPORT_DEVICE). Progress, rate, time left,
                                                cancel and going on are those of every job. The task appears at the
                                                end, whole, or never
    task = import_images(home, wanted)          the same without a queue

    now = checked(task)                         Checked: findings, about (notes, unreadable files, what was done to make
                                                RGB), facts (sizes, groups, copies), decisions, split_methods, advice
    for f in now.findings: ...                  Finding: key, severity ("problem", "warning", "note"), title, text,
                                                count, choices (key, title), choice in force, default, decided (by the
                                                user), rows or clusters (to be shown), names (files or classes, remark)
    task = decide(task, findings={"copies": "keep"}, split="by-group", test_share=.3, resize="pad", student_size=96)
                                                a new revision of labels and split, and a new task.json; None takes a
                                                decision back. Accepting a finding is deciding for its choice in force
    task = relabel(task, {row: "cat", 7: None}) labels by hand, many at once; classes may be new. Undo: relabel with
                                                what given_labels(task) said before. engine.selection.k_center says
                                                which images are worth a label. Split and findings follow when somebody
                                                asks for them: open_task, or settled(task); task_as_labeled does not
    remove_task(home, name)                     an own task and its features go to the trash; restore_task(home, id),
                                                removed_tasks(home), empty_trash(home)

Every function raises WorkbenchErrors alone, each a sentence to be shown. A task that comes with the program is no
`is_own(task)`: it has no findings and takes no decisions. `task.splits` may say "out" for an image that takes no part.
"""

from engine.tasks.catalogue import (
    add_task_file,
    bundled_names,
    bundled_record,
    open_task,
    task_as_labeled,
    task_names,
)
from engine.tasks.decisions import (
    Checked,
    checked,
    count_open,
    decide,
    given_label_numbers,
    given_labels,
    is_own,
    relabel,
    settled,
)
from engine.tasks.encodings import ENCODINGS, encoding_title
from engine.tasks.facts import About, Facts, read_about, read_small
from engine.tasks.finding import propose
from engine.tasks.findings import Choice, Decisions, Finding, Review
from engine.tasks.geometry import STUDENT_SIZES, GeometryAdvice, relative_cost
from engine.tasks.images import ImageTable, decode, write_image_table
from engine.tasks.import_job import DEVICE as IMPORT_DEVICE
from engine.tasks.import_job import KIND as IMPORT_KIND
from engine.tasks.import_job import check_allowed, execute_import, offered_sources, request_import
from engine.tasks.ingest import import_images
from engine.tasks.inventory import Columns, Inventory, Item
from engine.tasks.layouts.torchvision_sets import SETS as TORCHVISION_SETS
from engine.tasks.names import check_task_name, clean_text, task_name
from engine.tasks.previews import Preview, Sample, preview, read_in_ways
from engine.tasks.questions import Interpretation, Question, as_option, undecided
from engine.tasks.reading import WHOLE_RANGE, WITHOUT_EXTREMES, Reading, Values, reading_from, reading_in_words
from engine.tasks.request import UPLOAD, ImportRequest, request_from, with_changes
from engine.tasks.settings import SETTINGS_FILE, ImportSettings, import_settings
from engine.tasks.task import NO_LABEL, Task, TaskRecord, load_task, write_revision, write_task_files
from engine.tasks.trash import Removed, empty_trash, remove_task, removed_tasks, restore_task
from engine.tasks.uploads import in_the_users_words, keep_upload, remove_upload, upload_title

__all__ = [
    "ENCODINGS",
    "IMPORT_DEVICE",
    "IMPORT_KIND",
    "NO_LABEL",
    "SETTINGS_FILE",
    "STUDENT_SIZES",
    "TORCHVISION_SETS",
    "UPLOAD",
    "WHOLE_RANGE",
    "WITHOUT_EXTREMES",
    "About",
    "Checked",
    "Choice",
    "Columns",
    "Decisions",
    "Facts",
    "Finding",
    "GeometryAdvice",
    "ImageTable",
    "ImportRequest",
    "ImportSettings",
    "Interpretation",
    "Inventory",
    "Item",
    "Preview",
    "Question",
    "Reading",
    "Removed",
    "Review",
    "Sample",
    "Task",
    "TaskRecord",
    "Values",
    "add_task_file",
    "as_option",
    "bundled_names",
    "bundled_record",
    "check_allowed",
    "check_task_name",
    "checked",
    "clean_text",
    "count_open",
    "decide",
    "decode",
    "empty_trash",
    "encoding_title",
    "execute_import",
    "given_label_numbers",
    "given_labels",
    "import_images",
    "import_settings",
    "in_the_users_words",
    "is_own",
    "keep_upload",
    "load_task",
    "offered_sources",
    "open_task",
    "preview",
    "propose",
    "read_about",
    "read_in_ways",
    "read_small",
    "reading_from",
    "reading_in_words",
    "relabel",
    "relative_cost",
    "remove_task",
    "remove_upload",
    "removed_tasks",
    "request_from",
    "request_import",
    "restore_task",
    "settled",
    "task_as_labeled",
    "task_name",
    "task_names",
    "undecided",
    "upload_title",
    "with_changes",
    "write_image_table",
    "write_revision",
    "write_task_files",
]
