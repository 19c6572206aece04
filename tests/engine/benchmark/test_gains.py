"""Tables of gains from documents small enough to check by hand."""

import json

import pytest

from engine.benchmark import as_document
from engine.benchmark.gains import tabulate, tabulate_apart
from engine.cli import main
from engine.errors import DamagedFileError, InvalidInputError

SHARED = {"labels_per_class": 5, "student": "net", "start": "imagenet", "size": 64, "images": 1600}


def document(task, accuracies, *, related=(), **shared):
    """accuracies: by method, one for each seed 0, 1, ..."""
    results = [
        {"method": method, "seed": seed, "accuracy": value, "test_images": 100, "related_teachers": list(related)}
        for method, values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    return {"task": task, "shared": {**SHARED, **shared}, "differs": [], "results": results}


BIRDS = document("birds", {"fine-tune": [0.5, 0.6], "fixmatch": [0.5, 0.5], "distill-weighted": [0.6, 0.8]})
PLANTS = document("plants", {"fine-tune": [0.4, 0.4], "fixmatch": [0.3, 0.5], "distill-weighted": [0.4, 0.6]})


def gain(table, method, reference, where="gains"):
    [found] = [g for g in getattr(table, where) if (g.method, g.reference) == (method, reference)]
    return found


def test_gains_agree_with_a_hand_calculation():
    table = tabulate([BIRDS, PLANTS])
    over = gain(table, "distill-weighted", "fine-tune")  # birds +.1, +.2; plants 0, +.2
    assert over.by_task == pytest.approx({"birds": 0.15, "plants": 0.1})
    assert over.mean == pytest.approx(0.125)
    # Per-seed means .05 and .2: mean .125, standard error .075, t(1; .975) = 12.706
    assert over.over_seeds.low == pytest.approx(0.125 - 12.7062 * 0.075, abs=1e-4)
    assert over.over_tasks is None  # two tasks do not say how tasks differ
    third = document("fungi", {"fine-tune": [0.1, 0.1], "distill-weighted": [0.1, 0.4]})  # 0, +.3
    over_three = gain(tabulate([BIRDS, PLANTS, third]), "distill-weighted", "fine-tune")
    assert over_three.over_tasks.low < over_three.mean < over_three.over_tasks.high
    assert gain(table, "distill-weighted", "fixmatch").mean == pytest.approx((0.1 + 0.3 + 0.1 + 0.1) / 4)
    assert {(g.method, g.reference) for g in table.gains} == {
        ("fixmatch", "fine-tune"),
        ("distill-weighted", "fine-tune"),
        ("fine-tune", "fixmatch"),
        ("distill-weighted", "fixmatch"),
    }


def test_only_seeds_that_all_tasks_share_are_paired():
    longer = document("birds", {"fine-tune": [0.5, 0.6, 0.1], "distill-weighted": [0.6, 0.8, 0.9]})
    assert gain(tabulate([longer, PLANTS]), "distill-weighted", "fine-tune").seeds == (0, 1)


def test_comparisons_of_one_task_are_put_together():
    """Fine-tuning in one file, the rest in another, and a run that is in both counts once."""
    first = document("birds", {"fine-tune": [0.5, 0.6]})
    second = document("birds", {"fine-tune": [0.5], "distill-weighted": [0.6, 0.8]})
    assert gain(tabulate([first, second]), "distill-weighted", "fine-tune").mean == pytest.approx(0.15)


def test_tasks_with_a_related_teacher_are_left_out_of_the_second_table():
    related = document("birds", {"fine-tune": [0.5, 0.6], "distill-weighted": [0.6, 0.8]}, related=["other-birds"])
    table = tabulate([related, PLANTS])
    assert table.related == ("birds",)
    assert gain(table, "distill-weighted", "fine-tune").mean == pytest.approx(0.125)
    assert gain(table, "distill-weighted", "fine-tune", "without_relatives").by_task.keys() == {"plants"}
    assert tabulate([BIRDS, PLANTS]).without_relatives == ()


def test_one_seed_and_one_task_have_no_interval_over_them():
    table = tabulate([document("birds", {"fine-tune": [0.5], "distill-weighted": [0.6]})])
    only = gain(table, "distill-weighted", "fine-tune")
    assert only.over_seeds is None
    assert only.over_tasks is None
    assert table.cells[0].interval.method.startswith("Wilson")


@pytest.mark.parametrize("name", ["labels_per_class", "student", "size", "images"])
def test_comparisons_that_differ_are_not_averaged(name):
    with pytest.raises(InvalidInputError, match="cannot be averaged"):
        tabulate([BIRDS, document("plants", {"fine-tune": [0.4]}, **{name: 7})])


def test_comparisons_that_differ_have_a_table_each_the_smallest_budget_first():
    longer = document("birds", {"fine-tune": [0.7], "fixmatch": [0.6]}, images=6400)
    tables = tabulate_apart([longer, BIRDS, PLANTS])
    assert [(table.common["images"], table.tasks) for table in tables] == [
        (1600, ("birds", "plants")),
        (6400, ("birds",)),
    ]
    assert gain(tables[1], "fixmatch", "fine-tune").mean == pytest.approx(-0.1)
    with pytest.raises(InvalidInputError, match="at least one comparison"):
        tabulate_apart([])


def test_what_cannot_be_tabulated_is_said():
    with pytest.raises(InvalidInputError, match="at least one comparison"):
        tabulate([])
    changed = document("birds", {"fine-tune": [0.4]}, task_revision="other")
    with pytest.raises(InvalidInputError, match="changed between its comparisons"):
        tabulate([BIRDS, changed])
    odd = {**BIRDS, "results": [{**BIRDS["results"][0], "seed": "first"}]}
    for broken in (odd, {}, {"task": "birds"}, [], {"task": "birds", "shared": {}, "differs": [], "results": [{}]}):
        with pytest.raises(DamagedFileError, match="not what `compare --json` prints"):
            tabulate([broken])


def test_the_command_prints_both_tables(tmp_path, capsys):
    paths = []
    for found in (BIRDS, PLANTS):
        path = tmp_path / f"{found['task']}.json"
        path.write_text(json.dumps(found))
        paths.append(str(path))
    assert main(["benchmark", *paths]) == 0
    printed = capsys.readouterr().out
    assert "+12.5" in printed
    assert "birds +15.0, plants +10.0" in printed
    assert main(["benchmark", *paths, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == ["birds", "plants"]
    assert as_document(tabulate([BIRDS]))["methods"] == ("fine-tune", "fixmatch", "distill-weighted")
    assert main(["benchmark", str(tmp_path / "nothing.json")]) == 1
