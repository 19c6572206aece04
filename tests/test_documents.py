"""The documents: what they name exists, be it a command, an option, a target of make, a file or a page of the docs."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from assets.build.__main__ import _parser as build_parser
from engine.cli.program import parser as engine_parser

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OF_OTHERS = {"--gpus", "--publish", "--env"}  # docker's
MOST_BYTES = 16_000  # of the README: more belongs in docs/


def code(text):
    """The commands and words of a document that are set as code: lines of blocks, and what stands in backticks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.S | re.M)
    indented = re.findall(r"^    (\S.*)$", rest, re.M)
    inline = [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", rest)]
    return [*(line for part in fenced for line in part.splitlines()), *indented, *inline]


def words(command):
    """A command's words, without its comment."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:  # prose with an apostrophe
        return command.split()


def below(parser):
    """The commands under a parser: name -> parser."""
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(actions[0].choices) if actions else {}


def every(parser):
    yield parser
    for inner in below(parser).values():
        yield from every(inner)


def options(parser):
    return {option for one in every(parser) for option in one._option_string_actions}


def unknown(arguments, parser):
    """What a parser does not know of a documented command; words in capitals stand for a user's own, | for or."""
    level, above = parser, parser
    for word in arguments:
        if word == "|":
            level = above
        elif word.startswith("--"):
            if word.split("=")[0] not in level._option_string_actions:
                yield word
        elif below(level) and word not in ("...", "ARGUMENTS"):
            if word not in below(level):
                yield word
                return
            level, above = below(level)[word], level


def problems(command):
    """What a line of code names that does not exist."""
    found = words(command)
    if len(found) > 1 and found[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        return [word for word in found[1:] if "=" not in word and word not in targets]
    if found[:1] == ["distill-workbench"]:
        return list(unknown(found[1:], engine_parser("distill-workbench")))
    if re.fullmatch(r"(\S*/)?python3?", found[0] if found else "") and found[1:2] == ["-m"] and len(found) > 2:
        return _of_module(found[2], found[3:])
    if len(found) == 1 and found[0].startswith("--"):
        named = found[0].split("=")[0]
        return [] if named in OF_OTHERS | options(engine_parser("")) else [named]
    if len(found) == 1 and re.fullmatch(r"(app|assets|docs|engine|tests)/[\w./-]+", found[0]):
        return [] if (ROOT / found[0]).exists() else found
    if len(found) == 1 and re.fullmatch(r"test_\w+\.py", found[0]):
        return [] if list((ROOT / "tests").rglob(found[0])) else found
    return []


def _of_module(name, arguments):
    if name == "engine":
        return list(unknown(arguments, engine_parser("")))
    if name == "assets.build":
        return list(unknown(arguments, build_parser()))
    if name == "pytest":
        paths = [word.split("::") for word in arguments if word.startswith("tests/")]
        return [
            p for p, *inner in paths if not (ROOT / p).exists() or any(i not in (ROOT / p).read_text() for i in inner)
        ]
    if name.split(".")[0] not in ("tests", "assets"):
        return []
    path = ROOT.joinpath(*name.split("."))
    files = [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else sorted(path.glob("*.py"))
    source = "".join(file.read_text() for file in files)
    if not source or (path.is_dir() and not (path / "__main__.py").is_file()):
        return [name]
    return [word for word in arguments if word.startswith("--") and word.split("=")[0] not in source]


def _has(path, names):
    return path.exists() and all(name in path.read_text() for name in names)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_option_and_file_that_a_document_names_exists(document):
    assert [(line, wrong) for line in code(document.read_text()) if (wrong := problems(line))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        name, _, heading = target.partition("#")
        if "://" not in target:
            path = document.parent / name
            assert path.exists(), target
            titles = re.findall(r"^#+ (.*)$", path.read_text(), re.M) if heading else []
            assert not heading or heading in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("make run", []),
        ("make fly PORT=1", ["fly"]),
        ("python -m engine rank --task leaves --metrik all", ["--metrik"]),
        ("python -m engine tasks | teachers", []),
        ("python -m engine trash restore NAME | vanish NAME", ["vanish"]),
        ("distill-workbench serve --port 80  # or --nothing", []),
        ("distill-workbench open", ["open"]),
        ("--labels", []),
        ("--label-column", ["--label-column"]),
        ("python -m tests.hostile", []),
        ("python -m tests.friendly", ["tests.friendly"]),
        ("python -m tests.benchmarks.public --timm X --jax Y", ["--jax"]),
        ("python -m assets.build moon", ["moon"]),
        ("engine/weighting.py", []),
        ("engine/weighing.py", ["engine/weighing.py"]),
        ("test_documents.py", []),
        ("test_nowhere.py", ["test_nowhere.py"]),
        (".venv/bin/python -m pytest tests/test_documents.py::test_nothing", ["tests/test_documents.py"]),
    ],
)
def test_what_does_not_exist_is_seen(command, wrong):
    command = command.replace("test_nothing", "test_" + "no_such_test")
    assert problems(command) == wrong


def test_code_is_found_in_blocks_and_in_lines():
    text = "A `make run`, and\n\n    make test\n\n```text\nmake check\n```\n\n`make\nhelp`"
    assert code(text) == ["make check", "make test", "make run", "make help"]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= MOST_BYTES
