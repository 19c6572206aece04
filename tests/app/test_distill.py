import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app import queues, state
from app.components import progress, queued
from app.views.distill import form
from engine import jobs, runs
from engine.handlers import HANDLERS
from engine.jobs import Job, states
from engine.methods import get_method, preselected
from engine.review import open_task
from engine.runs import Proposal, list_comparisons, plan, read_runs, trained_on_all
from engine.runs.execution import CHECKPOINT
from engine.runs.extraction_job import request_extraction
from engine.runs.speed import Speed
from engine.tasks import Draw, Task
from engine.tasks.task import write_task
from engine.training import TrainSpec
from tests.app import made_runs
from tests.app.pages import button, open_page, progress_of, shown, text_of
from tests.cards import made_up_cards


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """No queue works here; what it would have worked on is noted."""
    devices = []
    monkeypatch.setattr(queues, "queue", devices.append)
    return devices


@pytest.fixture
def measured(monkeypatch):
    """Every student trains 100 images a second, so nothing is measured."""
    speed = Speed(100.0, "CPU, 2 threads (x86_64)", "2026-11-20T07:00:00+00:00")
    monkeypatch.setattr(form, "known_speed", lambda home, spec, device: speed)


def checkbox(app, method):
    return next(box for box in app.checkbox if box.key == f"distill-method-{method}")


def budget(app):
    return next(found for found in app.number_input if found.key == "distill-images")


def test_without_a_task_the_page_leads_to_start(home):
    assert "No task is chosen yet" in text_of(open_page("distill"))


def test_the_form_begins_with_four_methods_one_seed_and_the_default_budget(home, measured):
    app = open_page("distill", task="emoji-fluent")
    ticked = [box.key for box in app.checkbox if box.value]
    assert ticked == [f"distill-method-{key}" for key in (preselected()[-1], *preselected()[:-1])]
    assert budget(app).value == TrainSpec().images
    assert button(app, "Start").label == "Start 4 runs"
    assert "epoch" not in text_of(app)


def test_a_budget_is_shown_as_steps_and_time_for_each_method(home, measured):
    app = open_page("distill", task="emoji-fluent")
    budget(app).set_value(24_000)
    steps = shown(app.run()).table[0].value
    assert list(steps["Steps"]) == ["750", "300", "300", "300"]
    both = [
        f"{train.labeled_batch} labeled + {train.unlabeled_batch} unlabeled"
        for train in (get_method(key).recipe().train for key in preselected()[1:])
    ]
    assert list(steps["Images a step"]) == ["32 labeled", *both]
    # 10 s to start, 24,000 images at 100 a second, 15 % for evaluations, four times
    assert "About 19 min** for 4 runs" in text_of(app)


def test_starting_writes_the_comparison_and_puts_it_into_the_url(home, measured, asked):
    app = open_page("distill", task="emoji-fluent")
    checkbox(app, "fixmatch").uncheck()
    checkbox(app, "distill-weighted").uncheck()
    checkbox(app, "distill-consensus").uncheck()
    checkbox(app, "distill-nearest").check()
    budget(app).set_value(320)
    shown(app.run())
    shown(button(app, "Start 2 runs").click().run())
    [comparison] = list_comparisons(home)
    found = read_runs(home, comparison).entries
    assert [(e.spec.method, e.spec.seed, e.spec.train.images) for e in found] == [
        ("fine-tune", 0, 320),
        ("distill-nearest", 0, 320),
    ]
    assert app.query_params["comparison"] in (comparison.id, [comparison.id])
    assert "cpu" in asked
    assert "begins next" in text_of(app)
    assert "waits for 1 run of these" in text_of(app)
    assert progress_of(app)[0].startswith("0 of 2 runs done")


def test_seeds_labels_and_weights_of_other_pages_go_into_the_runs(home, measured):
    app = open_page("distill", {"labels_per_class": 2, "seed": 3, "p": 4.0}, task="emoji-fluent")
    assert "DistillWeighted, p = 4" in checkbox(app, "distill-weighted").label
    next(found for found in app.segmented_control if found.key == "distill-seeds").set_value(3)
    shown(app.run())
    shown(button(app, "Start 12 runs").click().run())
    specs = [entry.spec for entry in read_runs(home, list_comparisons(home)[0]).entries]
    assert {spec.seed for spec in specs} == {3, 4, 5}
    assert {spec.labels_per_class for spec in specs} == {2}
    assert {spec.p for spec in specs} == {None, 4.0, get_method("distill-consensus").p}


def test_weights_set_by_hand_are_used(home, measured):
    chosen = {"mnist": 0.25, "cifar10": 0.75}
    app = open_page("distill", {"task": "emoji-fluent", "manual_alpha": chosen})
    assert "Weights set by hand: effective number of teachers 1.8" in text_of(app)  # exp(0.562)
    shown(button(app, "Start").click().run())
    [weighted] = [
        e.spec for e in read_runs(home, list_comparisons(home)[0]).entries if e.spec.method == "distill-weighted"
    ]
    assert dict(weighted.alpha) == {"cifar10": 0.75, "mnist": 0.25}


def test_p_without_end_is_shown_as_such(home, measured):
    app = open_page("distill", {"p": math.inf}, task="emoji-fluent")
    assert "DistillWeighted, p = ∞" in checkbox(app, "distill-weighted").label


def test_an_architecture_that_does_not_exist_is_refused_with_the_engines_sentence(home, measured):
    app = open_page("distill", {"distill-architecture": "efficientnet_lite9"}, task="emoji-fluent")
    assert "There is no timm architecture named" in text_of(app)
    assert not [found for found in app.button if found.label.startswith("Start")]


def test_several_cards_are_offered_with_their_memory_and_one_that_is_chosen_gets_the_runs(
    home, measured, asked, monkeypatch
):
    made_up_cards(monkeypatch, 2)
    app = open_page("distill", task="emoji-fluent")
    device = next(found for found in app.selectbox if found.label == "Device")
    assert device.options[:3] == [
        "Any free card",
        "Card 0: NVIDIA A, 70 of 80 GB free",
        "Card 1: NVIDIA B, 71 of 80 GB free",
    ]
    assert device.options[3].startswith("CPU")
    assert device.value == "cuda"
    assert "About 6 min 28 s** for 4 runs, 2 at a time" in text_of(app)  # (10 + 1.15 * 160) * 2
    device.set_value("cuda:1")
    shown(button(shown(app.run()), "Start 4 runs").click().run())
    found = read_runs(home, list_comparisons(home)[0]).entries
    assert {(entry.job.lane, entry.spec.device) for entry in found} == {("cuda:1", "cuda")}
    assert "cuda:1" in asked
    assert "begins next" in text_of(app)
    made_up_cards(monkeypatch, 1)
    assert "this machine has no cuda:1 device" in text_of(shown(app.run()))


def test_a_single_card_is_named_beside_the_processor_and_a_machine_without_one_asks_nothing(
    home, measured, monkeypatch
):
    def asks(app):
        return [found.options for found in app.selectbox if found.label == "Device"]

    assert asks(open_page("distill", task="emoji-fluent")) == []
    made_up_cards(monkeypatch, 1)
    [[card, processor]] = asks(open_page("distill", task="emoji-fluent"))
    assert (card, processor[:3]) == ("NVIDIA A, 70 of 80 GB free", "CPU")


def test_what_is_proposed_for_photographs_is_taken_over_by_one_click(home, measured, monkeypatch):
    found = Proposal(128, 24_000, "half of the images have 480 px or more.", 1300.0, measured=False, device="a card")
    asked_with = []
    monkeypatch.setattr(form, "proposal_for", lambda *about: asked_with.append(about) or found)
    app = open_page("distill", task="emoji-fluent")
    said = "128 px, 24,000 images** for these photographs: half of the images have 480 px or more. :gray[About 22 min"
    assert f"{said} for 4 runs on a card, estimated.]" in text_of(app)
    assert (len(asked_with[0][2]), *asked_with[0][3:]) == (4, 1, "cpu")
    app = shown(button(app, "Use these").click().run())
    assert "for these photographs" not in text_of(app)
    assert "128 × 128 pixels" in text_of(app)
    assert budget(app).value == 24_000
    shown(button(app, "Start").click().run())
    trains = [entry.spec.train for entry in read_runs(home, list_comparisons(home)[0]).entries]
    assert {(train.size, train.images) for train in trains} == {(128, 24_000)}


def test_nothing_is_proposed_for_images_of_which_nothing_is_known(home, measured):
    assert "for these photographs" not in text_of(open_page("distill", task="emoji-fluent"))


def test_a_budget_of_less_than_a_step_is_refused(home, measured):
    app = open_page("distill", task="emoji-fluent")
    budget(app).set_value(40)
    assert "less than one step" in text_of(shown(app.run()))


def test_advanced_fields_reach_the_spec_and_only_when_changed(home, measured):
    app = open_page("distill", task="emoji-fluent")
    next(found for found in app.number_input if found.key == "distill-labeled_share").set_value(0.35)
    shown(app.run())
    shown(button(app, "Start").click().run())
    specs = [entry.spec for entry in read_runs(home, list_comparisons(home)[0]).entries]
    assert {s.settings.labeled_share for s in specs if get_method(s.method).weights} == {0.35}
    assert {s.train.learning_rate for s in specs} == {TrainSpec().learning_rate}


def test_a_form_that_was_left_alone_queues_what_the_command_line_does(home, measured):
    app = open_page("distill", task="emoji-fluent")
    shown(button(app, "Start").click().run())
    task = open_task(home, "emoji-fluent")
    assert list(list_comparisons(home)[0].runs) == [
        s.run_id for s in plan(home, task, preselected(), [0], device="cpu")
    ]


@pytest.mark.parametrize(("chosen", "size"), [(64, 64), (None, 96)])
def test_the_size_that_is_chosen_is_trained_whatever_the_task_has_decided(home, measured, chosen, size):
    task = open_task(home, "emoji-fluent")
    write_task(task.folder, replace(task.record, student_size=96))
    app = open_page("distill", task="emoji-fluent")
    if chosen:
        next(found for found in app.selectbox if found.label == "Image size").set_value(chosen)
        shown(app.run())
    assert f"per image of {size} × {size} pixels" in text_of(app)
    shown(button(app, "Start").click().run())
    assert {entry.spec.train.size for entry in read_runs(home, list_comparisons(home)[0]).entries} == {size}


def test_an_empty_learning_rate_is_each_methods_own(home, measured):
    app = open_page("distill", task="emoji-fluent")
    checkbox(app, "linear-probe").check()
    rate = app.number_input(key="distill-learning_rate")
    assert rate.value is None
    assert rate.placeholder == "0.0200"
    assert rate.help.endswith("Left empty: 0.02; Linear probe 0.1.")
    shown(button(shown(app.run()), "Start").click().run())
    specs = [entry.spec for entry in read_runs(home, list_comparisons(home)[0]).entries]
    assert {s.method: s.train.learning_rate for s in specs if s.train.learning_rate != 0.02} == {"linear-probe": 0.1}


def test_a_learning_rate_that_is_chosen_is_that_of_all_methods(home, measured):
    app = open_page("distill", task="emoji-fluent")
    checkbox(app, "linear-probe").check()
    app.number_input(key="distill-learning_rate").set_value(0.02)
    shown(button(shown(app.run()), "Start").click().run())
    assert {entry.spec.train.learning_rate for entry in read_runs(home, list_comparisons(home)[0]).entries} == {0.02}


def test_the_speed_is_measured_by_a_job_that_is_asked_for_and_that_a_started_run_ends(home):
    app = open_page("distill", task="emoji-fluent")
    assert "not measured" in list(app.table[0].value["About"])
    assert "How long this takes here is not known yet" in text_of(app)
    assert not jobs.list_jobs(home.jobs)
    shown(button(app, "Measure it").click().run())
    assert "Measuring how fast the student trains here: begins next." in text_of(app)
    (job,) = jobs.list_jobs(home.jobs)
    shown(button(app, "Start 4 runs").click().run())
    assert jobs.status(job).state == "cancelled"


def test_a_run_says_by_name_what_it_waits_for_and_waits_for_no_ranking(home, measured, monkeypatch):
    monkeypatch.setattr("engine.runs.speed.known_speed", form.known_speed)
    made_runs.planned(home, ["fixmatch"], [0], images=24_000)
    request_extraction(home, open_task(home, "fashion-mnist"), Draw(5, 0), device="cpu")
    _, second = made_runs.planned(home, ["fine-tune"], [1], images=320)
    told = text_of(open_page("distill", task="emoji-fluent", comparison=second.id))
    assert "waits for FixMatch, seed 0, of Emoji, about" in told
    assert "about 4 min 46 s" in told  # 10 s, and 24,000 images with 15 % for evaluations at 100 a second


@pytest.mark.parametrize("kind", HANDLERS)
def test_every_kind_of_job_has_a_name_for_those_who_wait_for_it(kind):
    assert queued.name(Job(Path("1-x"), "1-x", kind, "cpu", {}, datetime.now(UTC), "cpu")) != "1-x"


def test_a_cancelled_run_that_has_no_checkpoint_promises_none(home):
    _, comparison = made_runs.planned(home, ["fine-tune", "fixmatch"], [0])
    for run in comparison.runs:
        jobs.request_cancel(jobs.load(home.runs / run))
    (home.runs / comparison.runs[0] / CHECKPOINT).write_bytes(b"something")
    told = text_of(open_page("distill", task="emoji-fluent", comparison=comparison.id))
    assert told.count("it goes on from its last checkpoint") == 1
    assert told.count("it begins at the beginning") == 1


def test_a_run_of_a_task_that_has_changed_since_is_not_offered_to_be_resumed(home, monkeypatch):
    task, comparison = made_runs.planned(home, ["fine-tune"], [0])
    jobs.request_cancel(jobs.load(home.runs / comparison.runs[0]))
    [entry] = read_runs(home, comparison).entries
    assert progress.can_go_on(entry)
    other = Task(task.workspace, replace(task.record, classes=(*task.classes, "one more")))
    monkeypatch.setattr(state, "open_task", lambda name: other)
    assert not progress.can_go_on(entry)


def test_time_left_follows_the_pace_of_the_run_that_trains(home, measured, monkeypatch):
    monkeypatch.setattr(progress, "known_speed", form.known_speed)
    monkeypatch.setattr("engine.runs.speed.known_speed", form.known_speed)
    _, comparison = made_runs.planned(home, ["fixmatch", "fine-tune"], [0], images=24_000)
    made_runs.half_way(home, comparison.runs[0])
    training, waiting = read_runs(home, comparison).entries
    slow = replace(training, status=replace(training.status, rate=25.0, seconds_left=480.0))
    assert progress.seconds_left([slow, waiting]) == pytest.approx(480 + 4 * 286)  # 286 s at 100 images a second


def test_a_running_run_shows_stage_rate_loss_and_accuracy(home):
    _, comparison = made_runs.planned(home, ["fixmatch", "fine-tune"], [0], images=24_000)
    made_runs.half_way(home, comparison.runs[0])
    app = open_page("distill", task="emoji-fluent", comparison=comparison.id)
    assert any(text.startswith("Training the student · 12,000 of 24,000 images") for text in progress_of(app))
    told = text_of(app)
    assert "After 12,000 images: 37.1 % held out · loss: labels 0.67, consistency 0.40 (nats)" in told
    assert "sure of 60 % of the unlabeled images" in told
    assert len(app.get("plotly_chart")) == 2


def test_cancelling_one_run_leaves_the_others(home):
    _, comparison = made_runs.planned(home, ["fine-tune", "fixmatch"], [0])
    app = open_page("distill", task="emoji-fluent", comparison=comparison.id)
    shown(app.button(key=f"cancel-{comparison.runs[1]}").click().run())
    assert [entry.status.state for entry in read_runs(home, comparison).entries] == ["queued", "cancelled"]
    shown(app.button(key=f"resume-{comparison.runs[1]}").click().run())
    assert [entry.status.state for entry in read_runs(home, comparison).entries] == ["queued", "queued"]
    shown(app.button(key=f"cancel-{comparison.id}").click().run())
    assert [entry.status.state for entry in read_runs(home, comparison).entries] == ["cancelled", "cancelled"]


def test_a_failed_run_says_why(home):
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    made_runs.fail(home, comparison.runs[0], "The weights could not be downloaded: connect to the internet.")
    app = open_page("distill", task="emoji-fluent", comparison=comparison.id)
    assert "The weights could not be downloaded: connect to the internet." in app.error[0].value.replace("\\", "")


def test_unfinished_comparisons_on_disk_are_offered(home, measured):
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    app = open_page("distill", task="fashion-mnist")
    shown(app.button(key=f"watch-{comparison.id}").click().run())
    assert "begins next" in text_of(app)
    assert app.session_state["task"] == "emoji-fluent"


def test_a_comparison_whose_runs_were_removed_says_so(home, measured):
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    job = jobs.load(home.runs / comparison.runs[0])
    jobs.request_cancel(job)
    jobs.remove(job)
    app = open_page("distill", task="emoji-fluent", comparison=comparison.id)
    assert "is gone, and with it run" in text_of(app)


def test_a_link_to_a_comparison_that_is_gone_says_so_and_offers_a_new_one(home, measured):
    app = open_page("distill", task="emoji-fluent", comparison="emoji-fluent-00000000")
    assert "There is no comparison named" in app.warning[0].value
    assert button(app, "Start")


def test_nothing_is_measured_while_the_form_is_closed(home):
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    open_page("distill", task="emoji-fluent", comparison=comparison.id)
    assert not jobs.list_jobs(home.jobs)


def test_a_task_without_held_out_labels_gets_a_student_all_the_same(home, measured, monkeypatch):
    monkeypatch.setattr(Task, "test_rows", np.empty(0, np.int64))
    app = shown(open_page("distill", task="emoji-fluent").run())
    assert "how often it is right is then not known" in text_of(app)
    assert not any(each.label.startswith("Start") for each in app.button)
    shown(button(app, "Train on all images").click().run())
    [entry] = trained_on_all(home, "emoji-fluent")
    assert (entry.spec.quotes, entry.spec.train.images) == ("", 16_000)


def test_the_queue_is_seen_and_changed(home, measured, monkeypatch):
    monkeypatch.setattr("engine.runs.speed.known_speed", form.known_speed)
    _, comparison = made_runs.planned(home, ["fixmatch", "fine-tune", "distill-weighted"], [0], images=24_000)
    first, second, third = comparison.runs
    made_runs.half_way(home, first)
    app = open_page("distill", task="emoji-fluent", comparison=comparison.id)
    assert "1 job running, 2 waiting" in text_of(app)
    assert not [one for one in app.button if one.key == f"next-{second}"]  # it is the next one already
    shown(app.button(key=f"next-{third}").click().run())
    assert [job.id for job, _ in runs.line(home, jobs.load(home.runs / second))] == [first, third, second]
    shown(app.button(key="queue-pause").click().run())
    assert runs.is_paused(home)
    assert "waits until the queue goes on: it is paused" in text_of(app)
    shown(app.button(key="queue-go-on").click().run())
    assert not runs.is_paused(home)


def test_a_stuck_run_is_said_to_be_stuck_and_can_be_ended(home, monkeypatch):
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    job = made_runs.half_way(home, comparison.runs[0])
    long_ago = datetime.now(UTC) - timedelta(minutes=3)
    states.keep(job, replace(jobs.status(job), heartbeat=long_ago))
    ended = []
    monkeypatch.setattr(jobs, "end_now", ended.append)
    app = open_page("distill", task="emoji-fluent", comparison=comparison.id)
    assert "No sign of life for more than a minute" in text_of(app)
    shown(button(app, "End it").click().run())
    assert ended == [job]


def test_a_run_that_has_ended_is_deleted_after_a_question(home):
    _, comparison = made_runs.planned(home, ["fine-tune", "fixmatch"], [0])
    made_runs.finish(home, comparison)
    run = comparison.runs[0]
    asked = {f"delete-{run}": True}
    app = open_page("distill", task="emoji-fluent", comparison=comparison.id, session=asked)
    assert {found.proto.popover.label for found in app.get("popover")} == {"Delete"}
    assert "goes to the trash" in text_of(app)
    shown(app.button(key=f"delete-now-{run}").click().run())
    assert [entry.name for entry in runs.discards(home)] == [run]
    assert "put it back, or start the same run again" in text_of(app)
