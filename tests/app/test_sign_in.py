import importlib.util

import pytest
from streamlit.testing.v1 import AppTest

from app import queues
from app.components import sign_in
from tests.app.pages import MAIN, TIMEOUT, text_of


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


def opened(secrets=None):
    app = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
    for key, value in (secrets or {}).items():
        app.secrets[key] = value
    return app.run()


AUTH = {"auth": {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "x" * 40}}


def test_without_secrets_everybody_may_enter(home):
    assert "Choose a task" in text_of(opened())


def test_with_a_section_auth_nobody_sees_a_page_without_signing_in(home, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    app = opened(AUTH)
    assert [button.label for button in app.button] == ["Sign in"]
    assert "Choose a task" not in text_of(app)


def test_without_its_package_sign_in_says_so_and_stays_closed(home, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    app = opened(AUTH)
    assert "pip install 'Authlib" in text_of(app)
    assert "Choose a task" not in text_of(app)


def test_a_secrets_file_that_cannot_be_read_lets_nobody_in(home, monkeypatch, tmp_path):
    monkeypatch.setattr(sign_in, "_is_there", lambda: True)
    app = opened()
    assert "secrets.toml cannot be read" in text_of(app)
    assert "Choose a task" not in text_of(app)
