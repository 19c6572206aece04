"""Import: one's own images, from where they are to a task. What was recognized is shown before anything is made."""

from __future__ import annotations

from app import state
from app.components import page
from app.views import task_import_brought as brought
from app.views import task_import_found, task_import_jobs, task_import_ways
from engine.intake import IMPORT_DEVICE


def render() -> None:
    """The page."""
    page.header(
        "Use your own images",
        "Bring a folder, a ZIP or a table. What is recognized is shown first; nothing is made until you say so.",
    )
    state.queue(IMPORT_DEVICE)  # an import that another server left goes on
    if task_import_jobs.watch():
        return
    looked_at = brought.brought()
    if looked_at is None:
        task_import_ways.draw()
    else:
        task_import_found.draw(looked_at)
    page.link("start", "Back to the tasks", ":material/arrow_back:")


if __name__ == "__main__":
    render()
