"""engine.json in a job's folder: to which cluster it was handed, and by which ticket that knows it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.records import Moment, Positive, Seconds, read_record, write_record

TICKET_FILE = "engine.json"


@dataclass(frozen=True)
class Ticket:
    """A job that was handed over.

    engine: key of the engine. number: as the cluster calls it. queued, seconds: since when the job waited, and how long
    it had worked before. times: how often it was handed over since it last worked.
    """

    engine: str
    number: str
    queued: Moment
    seconds: Seconds
    times: Positive = 1


def ticket_of(job: Job) -> Ticket | None:
    """The ticket of a job; None for one that was never handed over.

    Also None for one that cannot be read: then the job is handed over again, and a second worker is refused.
    """
    try:
        return read_record(job.folder / TICKET_FILE, Ticket, f"the ticket of {job.id}", "remove it")
    except WorkbenchError:
        return None


def keep_ticket(job: Job, ticket: Ticket) -> None:
    """Write it into the job's folder. Raises StorageError."""
    write_record(job.folder / TICKET_FILE, ticket)
