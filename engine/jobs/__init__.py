"""Any long work: a folder on disk with its state, a worker process that does it, and a queue for each lane.

A job lives on disk only, so any process may look at it, cancel it, or take it up again. This room knows nothing of what
the work is: `worker.run` is given a handler for each kind of job.
"""

from engine.jobs import worker
from engine.jobs.events import read_events
from engine.jobs.lanes import ANY_CARD, IMPORT, INTERACTIVE, is_held
from engine.jobs.overview import (
    GIVE_UP_INTERRUPTED,
    OnChange,
    Unfinished,
    in_order,
    queued_jobs,
    unfinished_in,
    unfinished_jobs,
    wait,
)
from engine.jobs.queue import FileLock, drain
from engine.jobs.records import Job, damaged_jobs, job_folders, list_jobs, load
from engine.jobs.reporter import Reporter
from engine.jobs.requests import request
from engine.jobs.states import (
    STALE_AFTER,
    Status,
    change_lane,
    check_allowed,
    create,
    end_now,
    fail_queued,
    is_here,
    move,
    put_first,
    remove,
    request_cancel,
    resume,
    settle,
    status,
    works_in,
)
from engine.jobs.warm import WarmWorker, wait_for_job
from engine.jobs.worker import Handler

__all__ = [
    "ANY_CARD",
    "GIVE_UP_INTERRUPTED",
    "IMPORT",
    "INTERACTIVE",
    "STALE_AFTER",
    "FileLock",
    "Handler",
    "Job",
    "OnChange",
    "Reporter",
    "Status",
    "Unfinished",
    "WarmWorker",
    "change_lane",
    "check_allowed",
    "create",
    "damaged_jobs",
    "drain",
    "end_now",
    "fail_queued",
    "in_order",
    "is_held",
    "is_here",
    "job_folders",
    "list_jobs",
    "load",
    "move",
    "put_first",
    "queued_jobs",
    "read_events",
    "remove",
    "request",
    "request_cancel",
    "resume",
    "settle",
    "status",
    "unfinished_in",
    "unfinished_jobs",
    "wait",
    "wait_for_job",
    "worker",
    "works_in",
]
