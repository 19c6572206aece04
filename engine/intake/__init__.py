"""The way in for one's own images: archives, folders, tables, layouts of known data sets, uploads, the import job.

From files to a task, as page and command line use it:

    settings = import_settings(workspace)       limits and allow-listed roots, from settings.json of the workspace
    source = keep_upload(workspace, files)      what a browser dropped (one ZIP or table, or a folder's files), kept in
                                                the workspace: "upload:<id>". Or a path (the app: check_allowed first),
                                                or "torchvision:CIFAR10" (the names are in TORCHVISION_SETS)
    now = preview(workspace, request)           what it holds, in numbers, and some images as they will be read: for
                                                a page
    ways = read_in_ways(workspace, ...)         some of them in several Readings, for a choice of how more than 8
                                                bits become 8
    wanted = ImportRequest(source, title, ...)  every other field has a default: columns, classes, reading (channels,
                                                range, window), split, geometry. wanted.task is the task's name;
                                                check_task_name(wanted.task, task_names(workspace)) says if it is free
    job = request_import(workspace, wanted)     queued in a lane of its own, beside training. Progress, rate, time left,
                                                cancel and going on are those of every job. The task appears at the
                                                end, whole, or never
    task = import_images(workspace, wanted)     the same without a queue
    found = find_pictures(workspace, source, settings)   the images of a source that is not to become a task

Every function raises WorkbenchErrors alone, each a sentence to be shown.
"""

from engine.intake.discovery import find_pictures
from engine.intake.encodings import ENCODINGS, encoding_title
from engine.intake.import_job import KIND as IMPORT_KIND
from engine.intake.import_job import check_allowed, offered_sources, request_import
from engine.intake.ingest import import_images
from engine.intake.inventory import Columns
from engine.intake.layouts.folder_arranging import FOLDER_CLASSES
from engine.intake.layouts.plain import LAYOUTS as FOLDER_LAYOUTS
from engine.intake.layouts.torchvision_sets import SETS as TORCHVISION_SETS
from engine.intake.previews import Preview, Sample, preview, read_in_ways
from engine.intake.request import ARCHIVE_SUFFIXES, SINGLE_TABLES, UPLOAD, ImportRequest, request_for, request_from
from engine.intake.uploads import keep_upload, remove_upload, upload_title

__all__ = [
    "ARCHIVE_SUFFIXES",
    "ENCODINGS",
    "FOLDER_CLASSES",
    "FOLDER_LAYOUTS",
    "IMPORT_KIND",
    "SINGLE_TABLES",
    "TORCHVISION_SETS",
    "UPLOAD",
    "Columns",
    "ImportRequest",
    "Preview",
    "Sample",
    "check_allowed",
    "encoding_title",
    "find_pictures",
    "import_images",
    "keep_upload",
    "offered_sources",
    "preview",
    "read_in_ways",
    "remove_upload",
    "request_for",
    "request_from",
    "request_import",
    "upload_title",
]
