"""From images to a distilled student, in a real browser, with real training at a tiny budget."""

import re

import pytest
from playwright.sync_api import expect

from engine.runs import list_comparisons, read_runs
from tests.browser.workbench import PAGES, PATIENCE, Workbench

TASK = "emoji-fluent"
IMAGES = 160  # student images with gradient: a few steps, each with an evaluation
LONG = 8 * PATIENCE  # for what waits for the queue: seconds on an idle machine


@pytest.mark.timeout(2400)  # only a machine that is busy elsewhere comes near it
def test_the_six_steps(tab, server, browser):
    choose_task(tab)
    look_at_task(tab)
    rank_teachers(tab)
    lasso_images(tab)
    url = start_runs(tab, server)
    reopened = close_and_open_again(tab, browser, url)
    read_results(reopened)
    reopened.assert_sound()
    reopened.tab.context.close()


def address(name):
    return "" if name == "start" else name


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_a_phone(phone, name):
    phone.open(f"{address(name)}?task={TASK}")
    assert phone.overflow() <= 0
    phone.assert_sound()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_what_is_missing_without_a_task(tab, name):
    tab.open(address(name))
    if name != "start":
        tab.await_text("No task is chosen yet")
    tab.assert_sound()


def test_a_link_to_what_is_not_there_is_a_sentence(tab):
    tab.open("task?task=no-such-task")
    tab.await_text("There is no task named")
    tab.open(f"distill?task={TASK}&comparison=no-such-comparison")
    tab.await_text("There is no comparison named")
    tab.await_text("Set up a comparison")
    tab.assert_sound()


def choose_task(tab: Workbench) -> None:
    tab.open("")
    expect(tab.tab.get_by_role("heading", name="Distill Workbench")).to_be_visible()
    expect(tab.tab.get_by_test_id("stMain").locator("img").nth(19)).to_be_visible()  # the cards show pictures
    card = tab.tab.get_by_test_id("stVerticalBlock").filter(has=tab.tab.get_by_role("heading", name="Emoji")).last
    card.get_by_role("button", name="Choose this task").click()
    expect(tab.tab).to_have_url(re.compile(rf"/task\?.*task={TASK}"))
    tab.settle()
    tab.assert_sound()


def look_at_task(tab: Workbench) -> None:
    expect(tab.tab).to_have_title("Task · Emoji · Distill Workbench")
    tab.await_text("Labeled images")
    tab.await_text("Held-out images")
    tab.choose("2")
    tab.await_text("18")  # two of each of nine classes
    tab.assert_sound()


def rank_teachers(tab: Workbench) -> None:
    tab.go("teachers")
    tab.button("Rank the teachers").click()
    tab.await_text("Effective number of teachers", LONG)
    tab.settle()
    tab.assert_sound()


def lasso_images(tab: Workbench) -> None:
    tab.go("features")
    tab.await_text("Nearest neighbor right")
    tab.choose("One or two")  # its UMAP came with the program
    expect(tab.tab.locator(".maps figcaption").first).to_contain_text("UMAP", timeout=LONG)
    tab.settle()
    tab.lasso()
    picked = tab.tab.get_by_test_id("stMain").locator("figure img")
    expect(picked.nth(4)).to_be_visible()
    tab.assert_sound()


def start_runs(tab: Workbench, server) -> str:
    tab.go("distill")
    form = tab.tab.get_by_test_id("stMain")
    for method in ("FixMatch", "DistillWeighted", "DistillConsensus", "DistillNearest"):
        form.get_by_test_id("stCheckbox").filter(has_text=f"{method} ").locator("label").first.click()
        tab.settle()
    budget = form.get_by_role("spinbutton", name="Image budget of each run")
    budget.fill(str(IMAGES))
    budget.press("Enter")
    tab.await_text("About", LONG)
    tab.settle()
    tab.button("Start 2 runs").click()
    expect(tab.tab).to_have_url(re.compile("comparison=emoji-fluent-"))
    tab.await_text("of 2 runs done")
    tab.assert_sound()
    [comparison] = list_comparisons(server.workspace)
    assert [entry.spec.method for entry in read_runs(server.workspace, comparison).entries] == [
        "fine-tune",
        "distill-nearest",
    ]
    return str(tab.tab.url)


def close_and_open_again(tab: Workbench, browser, url: str) -> Workbench:
    expect(tab.tab.get_by_text("Running").first).to_be_visible(timeout=LONG)
    tab.tab.close()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    again = Workbench(context.new_page(), tab.url)
    again.tab.goto(url)
    again.await_text("2 of 2 runs done", LONG)
    again.await_text("Held-out accuracy over images seen")
    again.assert_sound()
    return again


def read_results(tab: Workbench) -> None:
    tab.go("results")
    tab.tab.get_by_text("How this was made").click()
    for text in (
        "Fine-tuning",
        "DistillNearest",
        f"{IMAGES} student images each",
        "2 labels per class",
        "Wilson interval",
    ):
        tab.await_text(text)
    expect(tab.tab.locator(".js-plotly-plot")).to_have_count(2)
    tab.button("Replay at 20×").click()
    tab.await_text("2 of 2 runs replayed")
    tab.button("End the replay").click()
    look_into_errors(tab)
    with tab.tab.expect_download() as download:
        tab.button("Download (ZIP)").click()
    assert download.value.path().read_bytes()[:2] == b"PK"


def look_into_errors(tab: Workbench) -> None:
    """From the matrix to the images of an error, whether to trust the student, and what may be taken away."""
    for section, text in (
        ("Errors", "Most confused"),
        ("Trust", "Leave the unsure ones to a person"),
        ("Labels", "Suspected wrong labels"),
        ("Take away", "Finish the student"),
    ):
        tab.tab.get_by_test_id("stMain").get_by_role("radio", name=section).click()
        tab.await_text(text)
        tab.settle()
        tab.assert_sound()
