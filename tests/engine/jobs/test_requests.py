import pytest

from engine.errors import InvalidInputError
from engine.jobs import request, request_cancel, status, worker

SPEC = {"task": "leaves", "images": 3}


def ask(root, spec=SPEC, device="cpu"):
    return request(root, "look-leaves", kind="look", spec=spec, device=device)


def test_asking_twice_gives_the_same_job(tmp_path):
    job = ask(tmp_path)
    assert status(job).state == "queued"
    assert ask(tmp_path) == job
    assert job.spec == SPEC


@pytest.mark.parametrize("changed", [{"spec": {**SPEC, "images": 4}}, {"device": "cuda"}])
def test_another_spec_or_device_is_another_job(tmp_path, changed):
    assert ask(tmp_path).id != ask(tmp_path, **changed).id


def test_a_cancelled_job_is_queued_again(tmp_path):
    job = ask(tmp_path)
    request_cancel(job)
    assert status(job).state == "cancelled"
    assert status(ask(tmp_path)).state == "queued"


def test_a_failed_job_is_queued_again_and_a_done_one_begins_anew(tmp_path):
    def refuses(workspace, job, report):
        raise InvalidInputError("no")

    job = ask(tmp_path)
    assert worker.run(job.folder, {"look": refuses}) == worker.FAILED
    assert status(ask(tmp_path)).state == "queued"
    assert worker.run(job.folder, {"look": lambda workspace, job, report: None}) == worker.DONE
    again = ask(tmp_path)
    assert status(again).state == "queued"
    assert again.created > job.created
