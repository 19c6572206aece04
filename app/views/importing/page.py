"""Import: one's own images, from where they are to a task. What was recognized is shown before anything is made."""

from __future__ import annotations

from app import queues, state
from app.components import page
from app.views.importing import brought, found, jobs, ways


def render() -> None:
    """The page."""
    page.header(
        "Use your own images",
        "Bring a folder, a ZIP or a table. What is recognized is shown first; nothing is made until you say so.",
        about_task=False,
    )
    queues.queue(state.device())  # an import that another server left goes on
    if jobs.watch():
        return
    looked_at = brought.brought()
    if looked_at is None:
        ways.draw()
    else:
        found.draw(looked_at)
    page.link("start", "Back to the tasks", ":material/arrow_back:")


if __name__ == "__main__":
    render()
