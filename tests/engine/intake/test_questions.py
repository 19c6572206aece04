"""What an import should not guess: asked, answered, refused, and remembered with the task."""

import json
from dataclasses import replace

import pytest

from engine import cli
from engine.errors import DamagedFileError, InvalidInputError
from engine.intake import Columns, ImportRequest
from engine.tasks import as_option, undecided
from engine.tasks.facts import ImportSummary, read_import_summary, write_import_summary
from engine.tasks.questions import Question, answered, refuse_guesses
from tests.engine.intake import made_sources as made
from tests.engine.intake.proposing import propose

TITLES = {"keep": ("Masks are images", 12), "leave-out": ("Masks are left out", 6)}


def two_columns(folder):
    """Eight images with two columns of words that say nothing of what they are."""
    rows = [["file", "color", "shape"], *([f"{i}.jpg", "ab"[i % 2], "uv"[i // 4]] for i in range(8))]
    return made.put(folder, {"list.csv": made.table(rows), **{f"{i}.jpg": made.jpg(i) for i in range(8)}})


def asked(source, home, **fields):
    found = propose(home, str(source), ImportRequest(str(source), "x", **fields))
    found.close()
    return found


def test_an_answer_decides_and_a_wrong_one_is_refused():
    open_one = answered({}, "masks", "Masks lie beside images.", TITLES, "leave-out")
    assert (open_one.in_force.labeled_images, open_one.decided) == (6, False)
    closed = answered({"masks": "keep"}, "masks", "Masks lie beside images.", TITLES, "leave-out")
    assert (closed.in_force.labeled_images, closed.decided) == (12, True)
    assert undecided([open_one, closed]) == [open_one]
    with pytest.raises(InvalidInputError, match="'both' is no answer to 'masks': choose 'keep' or 'leave-out'"):
        answered({"masks": "both"}, "masks", "Masks lie beside images.", TITLES, "keep")
    with pytest.raises(InvalidInputError, match="needs two interpretations"):
        Question("masks", "?", open_one.interpretations[:1], "keep")
    refuse_guesses([closed])
    with pytest.raises(InvalidInputError, match=r"Masks lie .* --answer masks=keep \(Masks are images\); or --answer"):
        refuse_guesses([closed, open_one])


def test_what_was_asked_is_kept_with_the_task(tmp_path):
    question = answered({}, "masks", "Masks lie beside images.", TITLES, "leave-out")
    about = ImportSummary("x", "plain", "folders", (), (), 0, (), 0, {}, questions=(question,))
    write_import_summary(tmp_path, about)
    assert read_import_summary(tmp_path) == about
    write_import_summary(tmp_path, replace(about, questions=()))
    value = json.loads((tmp_path / "import.json").read_bytes())
    del value["questions"], value["seal"]  # as an earlier version wrote it
    (tmp_path / "import.json").write_text(json.dumps(value))
    assert read_import_summary(tmp_path).questions == ()
    asked_nothing = {"key": "masks", "text": "?", "interpretations": [], "chosen": "keep"}
    (tmp_path / "import.json").write_text(json.dumps({**value, "questions": [asked_nothing]}))
    with pytest.raises(DamagedFileError, match=r"import\.json is damaged"):
        read_import_summary(tmp_path)


def test_two_columns_alike_are_a_question_that_its_own_changes_answer(home, tmp_path):
    folder = two_columns(tmp_path / "flat")
    (question,) = asked(folder, home).questions
    assert (question.key, question.chosen, question.decided) == ("label-column", "color", False)
    other = next(one for one in question.interpretations if one.key == "shape")
    assert (other.labeled_images, as_option(other)) == (8, "--labels shape")
    wanted = ImportRequest(str(folder), "x", columns=Columns(path="file"))
    columns = replace(wanted.columns, **other.changes.get("columns", {}))
    wanted = replace(wanted, columns=columns, answers={**wanted.answers, **other.changes.get("answers", {})})
    assert wanted.columns == Columns(path="file", label="shape")
    found = asked(folder, home, columns=wanted.columns)
    assert {item.label for item in found.items} == {"u", "v"}
    assert not undecided(found.questions)


def test_the_command_line_says_what_to_check_and_refuses_when_strict(home, tmp_path, capsys):
    folder = str(two_columns(tmp_path / "flat"))
    assert cli.main(["import", folder, "--name", "guessed", "--strict"]) == 1
    assert "say which: --labels color (The column 'color' holds the labels); or --labels shape" in (
        " ".join(capsys.readouterr().err.split())
    )
    assert not (home.tasks / "guessed").exists()
    assert cli.main(["import", folder, "--name", "guessed"]) == 0
    said = capsys.readouterr().out
    assert "please check: It is not certain which column of list.csv holds the labels." in said
    assert "The column 'shape' holds the labels, 8 labeled images (or --labels shape)" in said
    assert cli.main(["import", folder, "--name", "told", "--strict", "--labels", "shape", "--json"]) == 0
    (question,) = json.loads(capsys.readouterr().out)["please_check"]
    assert (question["chosen"], question["by"]) == ("shape", "user")
    assert {one["interpretation"]: one["option"] for one in question["interpretations"]} == {
        "shape": "--labels shape",
        "color": "--labels color",
    }
