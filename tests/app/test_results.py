import io
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from app import queues
from app.components import charts
from app.views.results import origin, over_budgets, replay, sources
from engine.delivery import student_archive
from engine.evaluation import Interval
from engine.results import ArithmeticRecord, results_in
from engine.review import open_task
from engine.runs import compared, plan, read_runs, recorded, recorded_comparison
from engine.runs import recorded as recorded_module
from engine.runs.comparison import method_means
from engine.workspace import Workspace
from tests.app import made_runs
from tests.app.pages import button, open_page, progress_of, shown, text_of

METHODS = ["fine-tune", "fixmatch", "distill-weighted"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """No queue works here, and nothing is recorded unless a test records it."""
    monkeypatch.setattr(queues, "queue", lambda device: None)
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setattr(sources, "recorded_comparison", lambda task: recorded.recorded_comparison(task, folder))
    monkeypatch.setattr(sources, "recorded_budgets", lambda task: recorded.recorded_budgets(task, folder))
    return folder


@pytest.fixture
def three_seeds(home):
    _, comparison = made_runs.planned(home, METHODS, [0, 1, 2], images=24_000)
    made_runs.finish(home, comparison)
    return comparison


def table(app, column="Held-out accuracy, %"):
    return next(found.value for found in app.dataframe if column in found.value.columns)


def test_without_any_comparison_the_page_leads_to_distill(home):
    app = open_page("results", task="emoji-fluent")
    assert "No comparison of this task has been run yet." in text_of(app)


def test_the_table_says_what_each_number_rests_on(home, three_seeds):
    app = open_page("results", task="emoji-fluent", comparison=three_seeds.id)
    rows = table(app)
    assert list(rows["Method"]) == ["Fine-tuning", "FixMatch", "DistillWeighted"]
    # Made-up students: 50, 51 and 52 % of 415 images, rounded to whole images (208, 212, 216).
    assert rows["Held-out accuracy, %"][0] == "51.1"
    assert rows["95\u00a0% interval, %"][0] == "48.7 to 53.5"  # 51.08 plus or minus 4.303 * 0.964 / sqrt(3)
    alike = "interval from: t interval over 3 seeds; seeds: 0, 1, 2; student images: 24,000; test images: 415. "
    assert f"The same for all: {alike}" in text_of(app)
    assert rows["To fine-tuning, points"][0] == "–"
    assert rows["To fine-tuning, points"][2].startswith("+9.9 (")
    assert list(rows["Steps"]) == ["750", "300", "300"]
    assert set(rows["Training seconds"]) == {"72.0"}


def test_one_seed_has_an_interval_over_test_images_and_the_page_says_what_it_leaves_out(home):
    _, comparison = made_runs.planned(home, METHODS, [0])
    made_runs.finish(home, comparison)
    app = open_page("results", task="emoji-fluent")
    rows = table(app)
    assert "interval from: Wilson interval over 415 images" in text_of(app)
    assert rows["To fine-tuning, points"][2] == "+9.9 (one seed, no interval)"
    assert "not the choice of labels" in text_of(app)
    assert "epoch" not in text_of(app).lower()


def test_the_consensus_is_a_line_where_it_was_judged_and_none_where_it_was_not(home, three_seeds):
    """31, 32 and 33 of 45 labels right: 71.1 %."""
    without = open_page("results", task="emoji-fluent", comparison=three_seeds.id)
    assert "Dashed" not in text_of(without)
    assert not {"Consensus, %"} & {name for found in without.dataframe for name in found.value.columns}
    _, comparison = made_runs.planned(home, ["fine-tune", "distill-consensus"], [0, 1, 2])
    made_runs.finish(home, comparison)
    app = open_page("results", task="emoji-fluent", comparison=comparison.id)
    assert table(app)["Consensus, %"].tolist() == ["–", "71.1 (65.6 to 76.6)"]
    said = text_of(app).replace("\\", "")
    assert "Dashed: the consensus that DistillConsensus learns from is right on 71.1 % (65.6 % to" in said
    assert "of 45 labels that it was not told" in said
    assert "right on 70.0 % of the 559 training images whose labels no method sees" in said


def test_a_line_reaches_over_all_bars_or_over_its_own(home):
    means = []
    for method in ("fine-tune", "distill-consensus", "distill-consensus(neighbors=0)"):
        [spec] = plan(home, open_task(home, "emoji-fluent"), [method], [0], device="cpu")
        means += method_means([made_runs.as_result(made_runs.result(spec, 0.5, 400, made_runs.curve(spec)))])
    one, several = charts._bars(means[:2], {}), charts._bars(means, {})
    [shape] = one.layout.shapes
    assert (shape.x0, shape.yref, shape.y0, shape.y1) == (pytest.approx(100 * 31 / 45), "paper", 0, 1)
    [numbers] = [trace for trace in one.data if getattr(trace, "mode", "") == "text"]
    assert numbers.x == pytest.approx([100 * 31 / 45 + 1.5] * 2)  # numbers of bars that end before it stand behind
    assert one.layout.annotations[0].text == "consensus 68.9\u00a0%"
    # From the bottom up, as the bars stand: the variant below its method, fine-tuning on top.
    assert sorted((shape.y0, shape.y1) for shape in several.layout.shapes) == [(-0.45, 0.45), (0.55, 1.45)]
    assert any("cross-validated on 45 labels" in (trace.hovertemplate or "") for trace in one.data)


def test_accuracy_over_recorded_budgets_stands_below_the_recorded_comparison(home, quiet):
    made_runs.recorded(home, quiet)
    assert "With more student images" not in [found.value for found in open_recorded().subheader]
    made_runs.recorded_budgets(home, quiet, [4_000])
    assert "With more student images" not in [found.value for found in open_recorded().subheader]
    made_runs.recorded_budgets(home, quiet, [4_000, 16_000, 64_000])
    app = open_recorded()
    assert "With more student images" in [found.value for found in app.subheader]
    assert not app.exception
    found = sources.budgets("emoji-fluent")
    rows = over_budgets.budget_table(found)
    assert rows["Student images"].tolist() == [4_000, 4_000, 16_000, 16_000, 64_000, 64_000]
    figure = over_budgets._figure(found)
    assert figure.layout.xaxis.type == "log"
    assert [len(trace.x) for trace in figure.data] == [3, 3]
    (quiet / "budget" / "emoji-fluent.json").write_text("{")
    assert "emoji-fluent.json" in text_of(open_recorded())


def open_recorded():
    return open_page("results", task="emoji-fluent", comparison="recorded")


def test_a_difference_has_a_color_only_where_the_seeds_tell_its_side(home, three_seeds):
    clear = open_page("results", task="emoji-fluent", comparison=three_seeds.id).metric[2]
    assert (clear.label, clear.proto.delta) == ("DistillWeighted", "+9.9 points")
    assert clear.proto.color == clear.proto.MetricColor.GREEN
    _, one = made_runs.planned(home, METHODS, [0], images=24_000)  # of the runs above those with seed 0
    unclear = open_page("results", task="emoji-fluent", comparison=one.id).metric[2]
    assert unclear.proto.color == unclear.proto.MetricColor.GRAY


@pytest.mark.parametrize(
    ("points", "text", "arrow"),
    [(5.2, "+5.2 points", "UP"), (-1.8, "−1.8 points", "DOWN"), (0.02, "0.0 points", "NONE")],
)
def test_a_difference_has_a_real_minus_and_an_arrow_only_if_there_is_one(
    home, three_seeds, monkeypatch, points, text, arrow
):
    real = compared.method_means

    def moved(results):
        found = real(results)
        other = replace(
            found[2].difference, mean=points / 100, interval=Interval(points / 100, points / 100, 0.95, "t")
        )
        return [*found[:2], replace(found[2], difference=other)]

    monkeypatch.setattr(compared, "method_means", moved)
    shown = open_page("results", task="emoji-fluent", comparison=three_seeds.id).metric[2].proto
    colors = {"UP": shown.MetricColor.GREEN, "DOWN": shown.MetricColor.RED, "NONE": shown.color}
    assert (shown.delta, shown.MetricDirection.Name(shown.direction)) == (text, arrow)
    assert shown.color == colors[arrow]


def test_an_unknown_comparison_is_not_silently_another_one(home, three_seeds):
    app = open_page("results", task="emoji-fluent", comparison="emoji-fluent-0000")
    assert "There is no comparison 'emoji-fluent-0000' of the task Emoji" in app.warning[0].value.replace("\\", "")
    assert not open_page("results", task="emoji-fluent", comparison=three_seeds.id).warning


def test_runs_on_an_older_task_say_what_has_changed(home):
    task = open_task(home, "emoji-fluent")
    now = {"task_revision": task.revision, "split": task.record.split, "size": 64}
    assert compared.what_changed(now, task) == []
    assert compared.what_changed({}, task) == []
    older = {**now, "task_revision": "0" * 12}
    assert compared.what_changed(older, task) == ["its labels, images or geometry are others"]
    assert compared.what_changed({**older, "split": "x"}, task) == ["its split, labels or classes are others"]
    larger = replace(task, record=replace(task.record, student_size=96))
    assert compared.what_changed(now, larger) == []  # the size is each comparison's own, and said with what runs share


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ([None, None], ""),  # on a CPU
        ([("fp32", False, True)] * 2, "Computed in fp32, with repeatable kernels."),
        ([("bf16", True, False)] * 2, "Computed in bf16, channels last, with the quickest kernels."),
        (
            [("fp32", False, True), ("bf16", False, False)],
            "Computed in fp32, with repeatable kernels and in bf16, with the quickest kernels: the last digits do not "
            "compare.",
        ),
    ],
)
def test_how_a_card_computed_is_said(home, three_seeds, ways, said):
    results = read_runs(home, three_seeds).results[:2]
    made = [replace(r, arithmetic=w and ArithmeticRecord(*w)) for r, w in zip(results, ways, strict=True)]
    assert compared.arithmetic_sentence(made) == said


def test_whose_average_a_student_began_as_is_said(home, three_seeds):
    results = read_runs(home, three_seeds).results
    titles = list(dict.fromkeys(result.title for result in results))
    assert compared.starts_sentence(results) == ""
    shares = iter(({"letters": 0.25, "cifar10": 0.75}, {"cifar10": 0.25, "mnist": 0.75}, {"letters": 1.0}))
    begun = [replace(r, first_weights=next(shares)) if r.title == titles[-1] else r for r in results]
    assert compared.starts_sentence(begun) == (
        f"{titles[-1]} (letters 42\u00a0%, cifar10 33\u00a0%, mnist 25\u00a0%) begins with the average of its "
        "teachers' weights, the others with ImageNet weights."
    )
    both = [r for r in begun if r.first_weights]
    said = compared.starts_sentence(both, shares=False)
    assert said == f"{titles[-1]} begins with the average of its teachers' weights."


def test_results_of_an_older_revision_are_marked(home, three_seeds, monkeypatch):
    monkeypatch.setattr(origin, "what_changed", lambda shared, task: ["its split, labels or classes are others"])
    told = open_page("results", task="emoji-fluent", comparison=three_seeds.id).warning[0].value
    assert told.startswith("The task has changed since these runs: its split, labels or classes are others.")


def test_bars_and_curves_are_described_in_words(home, three_seeds):
    app = open_page("results", task="emoji-fluent", comparison=three_seeds.id)
    told = [chart.proto.alt for chart in app.get("plotly_chart")]
    assert "DistillWeighted 61.0 % (58.6 % to 63.4 %)" in told[0].replace("\u00a0", " ")
    assert "FixMatch 54.0 % after 24,000 images (3 seeds)" in told[1].replace("\u00a0", " ")


def test_curves_can_be_read_over_seconds(home, three_seeds):
    app = open_page("results", task="emoji-fluent", comparison=three_seeds.id)
    next(found for found in app.segmented_control if found.key == "results-axis").set_value("seconds")
    shown(app.run())
    assert "after 72 seconds" in app.get("plotly_chart")[1].proto.alt


def test_what_is_shared_and_what_is_not_is_said(home):
    _, fair = made_runs.planned(home, METHODS, [0])
    made_runs.finish(home, fair)
    assert "These runs share: task Emoji, 5 labels per class, seed 0" in text_of(
        open_page("results", {"results made": True}, task="emoji-fluent")
    ).replace("\\", "")


def test_runs_that_do_not_share_a_budget_are_marked(home):
    from engine.runs import plan, start

    task, _ = made_runs.planned(home, ["fine-tune"], [0])
    specs = plan(home, task, ["fine-tune"], [0], device="cpu") + plan(
        home, task, ["fixmatch"], [0], device="cpu", images=8000
    )
    mixed = start(home, specs)
    made_runs.finish(home, mixed)
    app = open_page("results", task="emoji-fluent", comparison=mixed.id)
    assert app.warning[0].value.startswith("These runs do not share: the budget of student images.")


def test_the_weights_used_are_listed(home, three_seeds):
    app = open_page("results", task="emoji-fluent", comparison=three_seeds.id)
    weights = table(app, "Teacher")
    assert list(weights["Teacher"]) == [
        "Flat emoji in fine groups",
        "ImageNet photographs, EfficientNet-Lite0",
        "Clip art in 13 subjects",
    ]
    assert list(weights["DistillWeighted"]) == ["0.700", "0.200", "0.100"]
    assert "Effective number of teachers: DistillWeighted 2.2" in text_of(app)


def test_a_comparison_in_the_making_shows_what_is_there(home):
    _, comparison = made_runs.planned(home, METHODS, [0])
    app = open_page("results", task="emoji-fluent")
    assert "No run of this comparison has finished yet." in text_of(app)
    made_runs.finish(home, comparison)
    assert len(table(shown(app.run()))) == 3


def test_the_recorded_comparison_is_there_from_the_first_minute_and_labeled(home, quiet, tmp_path):
    made_runs.recorded(Workspace(tmp_path / "elsewhere"), quiet)
    app = open_page("results", {"results made": True}, task="emoji-fluent")
    told = text_of(app).replace("\\", "")
    assert "Recorded" in told
    assert "Recorded 19 Nov 2026, 12:00 UTC on CPU, 2 threads (x86_64)" in told
    assert "FixMatch was run a day later." in told
    assert app.code[0].value == "python -m engine compare --task emoji-fluent --seeds 0,1,2 --json"
    assert len(table(app)) == 3
    app = open_page("results", task="emoji-fluent", section="take-away")
    assert "do not come with the program" in text_of(app)
    labels = [found.proto.label for found in app.get("download_button")]
    assert labels == ["Report (HTML)"], "there is no student of a recorded run to download"


def test_own_comparisons_come_first_and_the_recorded_one_stays_at_hand(home, quiet, tmp_path, three_seeds):
    made_runs.recorded(Workspace(tmp_path / "elsewhere"), quiet)
    app = open_page("results", task="emoji-fluent")
    choice = app.selectbox[0]
    assert choice.value == three_seeds.id
    choice.set_value("recorded")
    assert "These runs came with the program" in text_of(shown(app.run()))
    assert app.query_params["comparison"] in ("recorded", ["recorded"])


def test_the_recorded_comparison_is_found_by_its_task_only(tmp_path):
    assert recorded_module.recorded_comparison("../secret", tmp_path) is None


def test_the_replay_plays_the_runs_own_events_twenty_times_as_fast(home, three_seeds, monkeypatch):
    app = open_page("results", task="emoji-fluent", comparison=three_seeds.id)
    began = time.time()
    shown(button(app, "Replay at 20×").click().run())
    monkeypatch.setattr(replay.time, "time", lambda: began + 9)  # 180 s of training: half of the third run
    shown(app.run())
    assert any("2 of 9 runs replayed · DistillWeighted, seed 0" in text for text in progress_of(app))
    monkeypatch.setattr(replay.time, "time", lambda: began + 1000)
    shown(app.run())
    assert any(text.startswith("9 of 9 runs replayed") for text in progress_of(app))
    shown(button(app, "End the replay").click().run())
    assert button(app, "Replay at 20×")


def test_a_moment_of_the_replay_holds_only_what_had_happened():
    point = {"losses": {}, "accuracy": 0.5}
    curve = [{"seconds": 5.0, "images": 10} | point, {"seconds": 10.0, "images": 20} | point]
    any_result = results_in(recorded_comparison("emoji-fluent"), Path("recorded"))[0]
    runs = tuple(replace(any_result, method=method, seed=0, curve=curve) for method in ("fine-tune", "fixmatch"))
    now = replay.at(runs, 16.0)
    assert [len(curve.points) for curve in now.curves] == [2, 1]
    assert now.shares == [1.0, 0.6]
    assert now.running == 1
    assert replay.at(runs, 20.0).running is None


def test_the_student_comes_as_a_zip(home, three_seeds):
    run = three_seeds.runs[2]
    with zipfile.ZipFile(io.BytesIO(student_archive(home.runs / run))) as archive:
        names = {"README.md", "result.json", "student.json", "student.safetensors"}
        assert set(archive.namelist()) == {f"{run}/{name}" for name in names}
        assert b"timm.create_model" in archive.read(f"{run}/README.md")
