"""The consensus' own accuracy: in a run's result, over seeds, in the table of compare and in that of benchmark."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.benchmark import tabulate_apart
from engine.cli.printing import print_benchmark, print_comparison
from engine.records import as_value, record_from
from engine.results import ConsensusRecord, IntervalRecord, RunResult
from engine.runs import as_document
from engine.runs.comparison import Comparison, method_means
from engine.runs.consensus_accuracy import consensus_accuracy
from engine.runs.material import RunMaterial
from engine.runs.spec import as_json, plan, run_spec_from
from engine.tasks import Draw
from engine.training import Opinion
from tests.app import made_runs


def material_of(task, rows=None):
    return RunMaterial(None, task, task.labeled_rows(Draw(5, 0)) if rows is None else rows, {}, 1, "cpu", None)


def opinion_of(task, right):
    """One that says the truth of the first `right` classes, and class 0 of all others."""
    truth = task.labels[task.train_rows]
    said = np.eye(len(task.classes), dtype=np.float32)[np.where(truth < right, truth, 0)]
    return Opinion(torch.from_numpy(said).half(), lambda known: said)


def test_it_is_judged_on_labels_left_out_and_on_images_whose_labels_nobody_sees(emoji):
    found = consensus_accuracy(material_of(emoji), opinion_of(emoji, 6))
    assert (found.images, found.folds) == (45, 5)  # 5 of each of 9 classes
    assert found.accuracy == pytest.approx(6 / 9)
    assert found.interval.method == "Wilson interval over 45 images"
    hidden = np.setdiff1d(emoji.train_rows, emoji.labeled_rows(Draw(5, 0)))
    assert found.unlabeled_images == len(hidden)
    assert found.unlabeled_accuracy == pytest.approx(float((emoji.labels[hidden] < 6).mean()))


def test_of_a_task_of_a_users_own_the_labels_say_it_alone(emoji):
    own = replace(emoji, record=replace(emoji.record, given_labels="0" * 12))
    found = consensus_accuracy(material_of(own), opinion_of(own, 9))
    assert (found.accuracy, found.unlabeled_accuracy, found.unlabeled_images) == (1.0, None, 0)


def test_one_label_a_class_says_nothing(emoji):
    rows = emoji.labeled_rows(Draw(1, 0))
    assert consensus_accuracy(material_of(emoji, rows), opinion_of(emoji, 9)) is None


def result(emoji, home, method, seed, consensus):
    [spec] = plan(home, emoji, [method], [seed], device="cpu")
    made = made_runs.result(run_spec_from(as_json(spec)), 0.5 + 0.01 * seed, 400, made_runs.curve(spec))
    return made_runs.as_result(made | {"consensus": consensus})


def judged(accuracy):
    return {
        "accuracy": accuracy,
        "interval": {
            "low": accuracy - 0.1,
            "high": accuracy + 0.1,
            "level": 0.95,
            "method": "Wilson interval over 45 images",
        },
        "images": 45,
        "folds": 5,
        "unlabeled_accuracy": accuracy + 0.05,
        "unlabeled_images": 559,
    }


def test_means_over_seeds_and_both_tables_have_it(emoji, home, capsys):
    results = [result(emoji, home, "distill-consensus", seed, judged(a)) for seed, a in enumerate((0.6, 0.7, 0.8))]
    results += [result(emoji, home, "fine-tune", seed, None) for seed in range(3)]
    ours, plain = method_means(results)
    assert plain.consensus is None
    assert ours.consensus.accuracy == pytest.approx(0.7)
    assert ours.consensus.interval.high == pytest.approx(0.7 + 4.3027 * 0.1 / 3**0.5, abs=1e-3)  # t(2; .975) = 4.3027
    assert ours.consensus.unlabeled_accuracy == pytest.approx(0.75)
    [single] = method_means(results[:1])
    assert (single.consensus.interval.low, single.consensus.interval.high) == pytest.approx((0.5, 0.7))
    [lacking] = method_means([results[0], replace(results[1], consensus=None)])
    assert lacking.consensus is None

    shared = {name: 0 for name in ("labels_per_class", "student", "start", "size", "images")}
    comparison = Comparison("c", "emoji-fluent", "", (), shared, ())
    document = as_document(comparison, results)
    print_comparison(document)
    said = "the consensus is right on 70.0\u00a0% (45.2\u00a0% to 94.8\u00a0%) of 45 labels left out, and on 75.0"
    assert said in (plainly := capsys.readouterr().out)
    assert "begins with" not in plainly
    print_comparison(as_document(comparison, [replace(results[0], first_weights={"cifar10": 1.0}), *results[3:]]))
    said = "DistillConsensus (cifar10 100\u00a0%) begins with the average of its teachers' weights, the others"
    assert said in capsys.readouterr().out
    [table] = tabulate_apart([document])
    cells = {cell.method: cell for cell in table.cells}
    assert cells["distill-consensus"].consensus == pytest.approx(0.7)
    assert cells["distill-consensus"].consensus_unlabeled == pytest.approx(0.75)
    assert (cells["fine-tune"].consensus, cells["fine-tune"].seconds) == (None, 72.0)
    print_benchmark(table)
    printed = capsys.readouterr().out
    assert "consensus of distill-consensus  of unlabeled images" in printed
    assert "72 s       72 s               70.0                            75.0" in printed


def test_a_result_without_it_opens_and_one_with_it_stays_as_it_is(emoji, home, tmp_path):
    with_it = result(emoji, home, "distill-consensus", 0, judged(0.6))
    assert with_it.consensus == ConsensusRecord(0.6, IntervalRecord(**judged(0.6)["interval"]), 45, 5, 0.65, 559)
    value = as_value(with_it)
    assert record_from(value, RunResult, tmp_path / "result.json", "it", "x").consensus == with_it.consensus
    del value["consensus"]
    assert record_from(value, RunResult, tmp_path / "result.json", "it", "x").consensus is None
