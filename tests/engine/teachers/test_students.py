"""What is asked of an architecture before it may be a student."""

import pytest
import timm

from engine.errors import UnknownNameError
from engine.teachers import check_student


def test_an_architecture_is_built_once_however_often_a_form_asks(monkeypatch):
    check_student.cache_clear()
    built = []
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **more: built.append(name) or create(name, **more))
    for _ in range(3):
        check_student("test_resnet")
    assert built == ["test_resnet"]


def test_an_unknown_architecture_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(UnknownNameError, match="no-such-net"):
            check_student("no-such-net")
