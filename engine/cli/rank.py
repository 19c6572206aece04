"""`python -m engine rank`: all teachers by their similarity to a task."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.options import add_command, add_task_options, names
from engine.cli.printing import print_json, print_panel, print_ranking


def add_parser(verbs: Any) -> None:
    """Add `rank` to the command line."""
    ranking = add_command(verbs, "rank", _rank, "rank all teachers by their similarity to a task")
    add_task_options(ranking)
    ranking.add_argument("--seed", type=int, default=0, help="which labeled images are drawn (default 0)")
    ranking.add_argument(
        "--resamples", type=int, default=0, help="draws of half the labels, for intervals; 200 are plenty (default 0)"
    )


def _rank(options: argparse.Namespace) -> int:
    from engine.verbs import open_workspace, rank

    document = rank(
        open_workspace(),
        options.task,
        metric=options.metric,
        labels_per_class=options.labels_per_class,
        seed=options.seed,
        teachers=names(options.teachers),
        resamples=options.resamples,
        device=options.device,
    )
    if options.json:
        return print_json(document)
    if "ranking" in document:
        print_ranking(document)
    else:
        print_panel(document)
    for left_out in document["excluded"]:
        print(f"left out: {left_out['teacher']}: {left_out['reason']}")
    for unranked in document["unranked"]:
        print(f"not ranked: {unranked['teacher']}: {unranked['reason']}")
    return 0
