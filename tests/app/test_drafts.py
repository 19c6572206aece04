"""What a page remembers while its session lives."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import queues
from app.components import page
from app.drafts import JobSlot, task_key
from app.views.importing.draft import ImportDraft
from engine import jobs
from engine.errors import InvalidInputError
from engine.jobs import worker
from engine.tasks import NewImage, add_images, relabel
from tests.app import made_tasks
from tests.app.pages import open_page, shown
from tests.engine.intake import made_sources as made


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def asked(home):
    """A slot, and the job that was asked for in it."""
    slot = JobSlot()
    job = slot.ask(lambda: jobs.request(home.jobs, "toy", kind="toy", spec={}, device="cpu"))
    return slot, job


def test_a_slot_finds_its_job_on_disk(asked):
    slot, job = asked
    assert slot.job().id == slot.not_done().id == job.id
    assert JobSlot().job() is None
    slot.clear()
    assert slot.job() is None


def test_a_slot_whose_job_is_gone_is_empty(asked):
    slot, job = asked
    shutil.rmtree(job.folder)
    assert slot.job() is None
    assert slot.not_done() is None


def test_a_job_that_is_done_is_waited_for_no_more(asked):
    slot, job = asked
    assert worker.run(job.folder, {"toy": lambda workspace, job, reporter: None}) == worker.DONE
    assert slot.job().id == job.id
    assert slot.not_done() is None


def test_a_refused_request_leaves_the_slot_as_it_was(asked):
    slot, job = asked

    def refuse():
        raise InvalidInputError("This cannot be done.")

    with pytest.raises(InvalidInputError):
        slot.ask(refuse)
    assert slot.job().id == job.id


def test_a_page_keeps_its_draft_while_others_are_open(home):
    app = open_page("importing")
    app = shown(app.segmented_control(key="widget import way").set_value("server").run())
    app = shown(app.switch_page("views/start/page.py").run())
    app = shown(app.switch_page("views/importing/page.py").run())
    assert app.segmented_control(key="widget import way").value == "server"
    assert app.session_state[ImportDraft.key()].way == "server"
    assert open_page("importing").segmented_control(key="widget import way").value == "files"  # another session


def test_a_task_that_grows_keeps_its_key_and_another_of_its_name_has_its_own(own, monkeypatch, tmp_path, decoder):
    monkeypatch.setattr("streamlit.session_state", {})
    key = task_key(own)
    assert task_key(relabel(own, {0: "lion", 1: None})) == key
    grown = add_images(own, [NewImage("a.jpg", made.jpg(5), "lion", 24, 24, bytes(192), False, ())])
    assert len(grown.images) == len(own.images) + 1
    assert task_key(grown) == key
    other = made_tasks.replace(own, tmp_path, decoder)
    assert task_key(other) != key


def test_a_part_of_a_page_that_reruns_by_itself_asks_for_the_page_once_its_task_is_another(
    own, monkeypatch, tmp_path, decoder
):
    asked = []
    monkeypatch.setattr("streamlit.rerun", lambda: asked.append(True))
    monkeypatch.setattr("streamlit.session_state", {})
    key = task_key(own)

    def rerun():
        """As Streamlit does it: in a thread of its own, which opens the files of the task that are there now."""
        with ThreadPoolExecutor(1) as thread:
            thread.submit(page.renew_if_replaced, own, key).result()

    rerun()
    assert not asked
    made_tasks.replace(own, tmp_path, decoder)
    rerun()
    assert asked
