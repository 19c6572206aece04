"""`python -m engine compare`: students trained with several methods, side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from inspect import signature
from typing import Any

from engine.cli.options import add_command, add_engine, add_task_options, fields, integer, names
from engine.cli.printing import print_comparison, print_json
from engine.errors import InvalidInputError
from engine.workspace import Workspace

CANCELLED = 130  # exit status after Ctrl-C, as shells have it


def add_parser(verbs: Any) -> None:
    """Add `compare` to the command line."""
    compare = add_command(verbs, "compare", _compare, "train students with several methods, and compare them")
    add_task_options(compare)
    compare.add_argument(
        "--methods",
        help="comma-separated; `methods` lists them; NAME(4) sets p, NAME(FIELD=VALUE) a field of one alone",
    )
    compare.add_argument("--seeds", default="0", help="comma-separated (default 0)")
    compare.add_argument("--images", type=int, help="budget of each run: student images with gradient")
    compare.add_argument("--architecture", help="the student: any timm architecture")
    compare.add_argument("--start", choices=("imagenet", "random"), help="the student's first weights")
    compare.add_argument("--size", type=int, help="the student's input size, in pixels")
    compare.add_argument("--labeled-share", type=float, help="λ, the labels' share of the distillation loss (0..1)")
    compare.add_argument("--views", type=int, help="K, the number of fixed views that the teachers describe")
    add_engine(compare)
    compare.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any other training field")


def _compare(options: argparse.Namespace) -> int:
    from engine.runs import LOCAL, plan
    from engine.verbs import compare, open_workspace

    settings = {
        name: value
        for name in ("images", "architecture", "start", "size", "labeled_share", "views")
        if (value := getattr(options, name)) is not None
    }
    settings |= _training(options.set, {*signature(compare).parameters, *signature(plan).parameters})
    workspace, methods = open_workspace(), names(options.methods)
    seeds = [integer("--seeds", seed) for seed in names(options.seeds) or []]
    if not {"size", "images"} & set(settings) and options.engine is None:
        _say_proposal(workspace, options, methods, len(seeds), settings)
    try:
        document = compare(
            workspace,
            options.task,
            methods,
            seeds=seeds,
            labels_per_class=options.labels_per_class,
            metric=options.metric,
            teachers=names(options.teachers),
            device=options.device,
            engine=options.engine or LOCAL,
            **settings,
        )
    except KeyboardInterrupt:
        print("Cancelled; the same command resumes the runs.", file=sys.stderr)
        return CANCELLED
    failed = document.pop("failed")
    document |= {"command": " ".join(["python -m engine", *sys.argv[1:]]), "failed": failed}
    if options.json:
        print_json(document)
    else:
        print_comparison(document)
    for one in failed:
        text = one["message"] if one["state"] == "lost" else f"{one['run']} is {one['state']}: {one['message']}"
        print(f"error: {text}", file=sys.stderr)
    return 1 if failed else 0


def _say_proposal(
    workspace: Workspace,
    options: argparse.Namespace,
    methods: Sequence[str] | None,
    seeds: int,
    settings: Mapping[str, Any],
) -> None:
    """What size and budget are proposed for photographs, where neither was asked for; it does not change the runs."""
    from engine.devices import resolve
    from engine.methods import get_method, preselected
    from engine.review import open_task
    from engine.runs import defaults, proposal_for

    task = open_task(workspace, options.task)
    chosen = [get_method(name) for name in (preselected() if methods is None else methods)]
    recipes = [method.recipe({**defaults(task, method), **settings}) for method in chosen]
    found = proposal_for(workspace, task, recipes, seeds, resolve(options.device))
    if found is not None and (found.size, found.images) != (recipes[0].train.size, recipes[0].train.images):
        print(
            f"These photographs could have --size {found.size} --images {found.images}: {found.reason} About "
            f"{found.seconds / 60:.0f} min on {found.device}{'' if found.measured else ', estimated'}.",
            file=sys.stderr,
        )


def _training(settings: Sequence[str], options: Collection[str]) -> dict[str, Any]:
    """What `--set` says of training. Raises InvalidInputError for what has an option of its own."""
    chosen = fields(settings)
    if wrong := sorted(set(chosen) & set(options)):
        raise InvalidInputError(f"--set {wrong[0]}: this is no field of training; `compare --help` has its option.")
    return chosen
