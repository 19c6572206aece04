"""The benchmark of a card runs on a CPU, so that it is ready when a card is to be had."""

import json

import pytest

from tests.benchmarks.gpu import __main__ as program
from tests.benchmarks.gpu import rows, watch
from tests.benchmarks.gpu.checks import within_spread
from tests.benchmarks.gpu.rows import Goal, Row
from tests.benchmarks.gpu.whole import extraction

TINY = "test_efficientnet"  # timm's, of a few thousand weights


def test_every_loop_and_check_runs_on_a_cpu(monkeypatch, capsys):
    every = rows.all_rows  # of bf16, which a CPU is slow at, one
    monkeypatch.setattr(
        program, "all_rows", lambda *a: [r for r in every(*a) if "bf16" not in r.name or "Fix" in r.name]
    )
    arguments = ["--cpu", "--json", "--only", "loops,numbers", "--sizes", "16", "--seconds", "0"]
    assert program.main([*arguments, "--architecture", TINY]) == 0
    found = json.loads(capsys.readouterr().out)
    loops = {name: row for name, row in found["rows"].items() if "ratio" in row}
    numbers = {name: row for name, row in found["rows"].items() if "apart" in row}
    assert len(loops) == len(rows.METHODS) + 1
    assert all(row["ours"] > 0 and row["eager"] > 0 and row["captured"] is None for row in loops.values())
    # The plain loop has its own schedule, optimizer and average: training ends where it ends.
    assert len(numbers) == 5
    assert all(row["apart"] < 1e-5 for row in numbers.values())
    assert {goal["passed"] for goal in found["goals"]} == {None}  # of a card


def test_extraction_is_held_against_its_halves():
    found = extraction("cpu", images=8, side=48, rounds=1)
    assert set(found) == {"decode", "forward", "extract", "kept"}
    assert min(found.values()) > 0


def row(measured, limit=10):
    return Row("loops", "one", measured, limit, lambda found: [Goal("≥ 1", str(found["a"]), found["a"] >= 1)])


@pytest.mark.parametrize(
    ("rows_", "status", "said"),
    [
        ([row(lambda: {"a": 1})], 0, "pass  ≥ 1"),
        ([row(lambda: {"a": 0})], 1, "MISS  ≥ 1"),
        ([row(lambda: 1 / 0), row(lambda: {"a": 1})], 1, "FAILED  ZeroDivisionError: division by zero"),
    ],
)
def test_what_fails_or_misses_says_so_and_ends_with_1(monkeypatch, capsys, rows_, status, said):
    named = [Row(r.part, f"row {i}", r.measured, r.limit, r.goals) for i, r in enumerate(rows_)]
    monkeypatch.setattr(program, "all_rows", lambda *_: named)
    assert program.main(["--cpu"]) == status
    out = capsys.readouterr().out
    assert said in out
    assert all(r.name in out for r in named)


def test_a_slow_row_is_given_up_and_the_next_is_measured():
    ends = program.time.monotonic() + 60

    def for_ever():
        while True:
            pass

    assert program._measured(row(for_ever, limit=0.05), ends) == {"error": "given up: longer than 0 s"}
    assert program._measured(row(lambda: {"a": 2}), ends)["a"] == 2
    assert program._measured(row(lambda: {"a": 2}), 0) == {"error": "not measured: the time was up"}


def test_a_cards_result_fits_within_the_widened_spread_of_cpu_seeds(tmp_path):
    def results(*accuracies):
        return [{"task": "t", "method": "m", "seed": i, "accuracy": a} for i, a in enumerate(accuracies)]

    recorded = tmp_path / "t.json"
    recorded.write_text(json.dumps({"results": results(0.80, 0.84, 0.82)}))  # a range of 4 points: 2 more on each side
    for accuracy, fits in ((0.79, True), (0.85, True), (0.742, False), (0.87, False)):
        (found,) = within_spread({"results": results(accuracy)}, [recorded]).values()
        assert (found["fits"], round(found["low"], 3), round(found["high"], 3)) == (fits, 0.78, 0.86)
    assert within_spread({"results": [{"task": "other", "method": "m", "seed": 0, "accuracy": 0}]}, [recorded]) == {}


def test_without_a_card_the_benchmark_says_how_to_go_on(monkeypatch, capsys):
    monkeypatch.setattr(program, "resolve", lambda name: (_ for _ in ()).throw(program.WorkbenchError("No card.")))
    assert program.main([]) == 1
    assert capsys.readouterr().err == "error: No card. --cpu measures on a CPU.\n"


def test_nothing_is_seen_of_a_card_that_is_none():
    with watch.seen("cpu") as found:
        pass
    assert (found.busy, found.memory) == (None, None)
