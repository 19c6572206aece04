"""Opening a page of the app as a test sees it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from streamlit.components.v2 import manifest_scanner
from streamlit.navigation.page import StreamlitPage
from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
TIMEOUT = 60  # s; three are not enough on a busy machine
# Streamlit looks through all installed packages for components once a server, and an `AppTest` is one each.
COMPONENTS = cache(manifest_scanner.scan_component_manifests)


def begun(timeout: float = TIMEOUT, **url: str) -> AppTest:
    """The app with its pages registered, and none drawn yet: whoever asks for one does not wait for Start."""
    app = AppTest.from_file(str(MAIN), default_timeout=timeout)
    for key, value in url.items():
        app.query_params[key] = value
    with (
        mock.patch.object(StreamlitPage, "run"),
        mock.patch.object(manifest_scanner, "scan_component_manifests", COMPONENTS),
    ):
        return app.run()


def open_page(name: str, /, session: dict[str, Any] | None = None, **url: str) -> AppTest:
    """The page called `name` after its first run, with what the URL and the session bring."""
    app = begun()
    for key, value in url.items():
        app.query_params[key] = value
    for key, value in (session or {}).items():
        app.session_state[key] = value
    return shown(app.switch_page(f"views/{name}/page.py").run())


def shown(app: AppTest) -> AppTest:
    """The page itself, once it is sure that it shows no error of the program."""
    assert not app.exception, [found.message for found in app.exception]
    assert not [error.value for error in app.error if "error in the program" in error.value]
    return app


def text_of(app: AppTest) -> str:
    """All running text of a page; its no-break spaces are plain ones, so that tests can be typed."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.info, app.warning, app.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\u00a0", " ")


def progress_of(app: AppTest) -> list[str]:
    """The texts of the progress bars."""
    return [bar.proto.text for bar in app.get("progress")]


def button(app: AppTest, label: str) -> Any:
    """The first button whose label begins with `label`."""
    return next(found for found in app.button if found.label.startswith(label))
