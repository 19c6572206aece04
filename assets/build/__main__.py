"""Command line of the build: `python -m assets.build --help`."""

from __future__ import annotations

import argparse
import sys

from assets.build.checksums import write_checksums
from assets.build.emoji_parts import write_emoji_parts
from assets.build.lesson_outputs import write_lesson_outputs
from assets.build.recorded import write_recorded
from assets.build.registry import write_costs
from assets.build.task_recipes import BUNDLED, DEVELOPMENT, TARGETS
from assets.build.tasks import OUT, TASKS, write_tasks
from assets.build.teachers import build_teachers
from engine.errors import WorkbenchError


def main() -> int:
    """Run one verb; a user's error is one sentence on stderr and the exit status 1."""
    arguments = _parser().parse_args()
    try:
        _run(arguments.verb, getattr(arguments, "names", []))
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(verb: str, names: list[str]) -> None:
    if verb in ("tasks", "all"):
        write_tasks(BUNDLED, TASKS)
        write_emoji_parts()
    if verb in ("teachers", "all"):
        build_teachers(names)
    if verb in ("tasks", "teachers", "all"):
        write_checksums()
    if verb == "lessons":
        write_lesson_outputs()
    if verb in ("recorded", "all"):
        write_recorded()
    if verb == "registry":
        write_costs()
    if verb in ("targets", "all"):
        write_tasks(TARGETS, OUT)
    if verb in ("development", "all"):
        write_tasks(DEVELOPMENT, OUT)
        if verb == "all":
            build_teachers(["quickdraw-255"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assets.build", description="Make what lies under assets/.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("tasks", help="the four bundled tasks, into assets/tasks")
    teachers = verbs.add_parser("teachers", help="the teachers, into assets/teachers (about an hour on two cores)")
    teachers.add_argument("names", nargs="*", metavar="NAME", help="only these; otherwise all that are bundled")
    verbs.add_parser("lessons", help="what lessons show of a few images, into assets/lessons (half a minute)")
    verbs.add_parser("recorded", help="rankings and maps of the bundled tasks (about an hour on two cores)")
    verbs.add_parser("registry", help="what timm's networks cost, into assets/registry (about ten minutes on one core)")
    verbs.add_parser("targets", help="the other four benchmark targets, into assets/build/out/tasks")
    verbs.add_parser("development", help="the tasks to tune on, into assets/build/out/tasks")
    verbs.add_parser("all", help="all of it, and the teacher for the development task of sketches")
    return parser


if __name__ == "__main__":
    sys.exit(main())
