"""A page is one folder in `app/views` and one line in `app/main.py`."""

import dataclasses
import importlib
import re
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from app import queues
from app.drafts import Draft
from tests.app.pages import MAIN, TIMEOUT, shown, text_of

VIEWS = MAIN.with_name("views")
FOLDERS = sorted(folder.name for folder in VIEWS.iterdir() if (folder / "__init__.py").exists())
TOY = '''"""A toy."""

from app.components import page

if __name__ == "__main__":
    page.header("A toy", "It is all here.")
    page.link("start", "Back to Start")
'''


def test_every_folder_is_a_page_and_is_listed_once():
    assert sorted(re.findall(r'_page\("(\w+)"', MAIN.read_text())) == FOLDERS
    assert all((VIEWS / folder / "page.py").exists() for folder in FOLDERS)
    assert [found.name for found in VIEWS.glob("*.py")] == ["__init__.py"]


def test_a_new_page_takes_its_folder_and_its_line(home, monkeypatch, tmp_path):
    monkeypatch.setattr(queues, "queue", lambda device: None)
    app = tmp_path / "app"
    shutil.copytree(VIEWS, app / "views")
    shutil.copy(MAIN.with_name("icon.png"), app)
    (app / "views" / "toy").mkdir()
    (app / "views" / "toy" / "page.py").write_text(TOY)
    line = '_page("toy", ":material/toys:", "A toy."),\n            _page("importing"'
    (app / "main.py").write_text(MAIN.read_text().replace('_page("importing"', line))
    opened = AppTest.from_file(str(app / "main.py"), default_timeout=TIMEOUT).run()
    opened = shown(opened.switch_page("views/toy/page.py").run())
    assert [title.value for title in opened.title] == ["A toy"]
    assert "It is all here." in text_of(opened)


@pytest.mark.parametrize("name", [name for name in FOLDERS if (VIEWS / name / "draft.py").exists()])
def test_a_page_remembers_in_one_draft_that_begins_empty(name):
    module = importlib.import_module(f"app.views.{name}.draft")
    (draft,) = [
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Draft) and found != Draft
    ]
    assert dataclasses.is_dataclass(draft)
    assert draft() == draft()  # nothing is shared or drawn at random
    for field in dataclasses.fields(draft):
        draft().put(field.name)
    with pytest.raises(AttributeError):
        draft().put("no_such_field")
