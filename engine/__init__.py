"""Finds the pretrained networks that fit a task, and distills them into one small student.

The verbs, in a notebook (`help(engine.compare)` says what each takes):

    import engine

    workspace = engine.open_workspace("workspace")  # a folder; that of WORKBENCH_HOME if none is named
    leaves = engine.import_images(workspace, "leaves")  # a folder, an archive, a table
    ranking = engine.rank(workspace, leaves.name, labels_per_class=2)["ranking"]
    nearest = [place["teacher"] for place in ranking[:2]]
    settings = {"labels_per_class": 2, "teachers": nearest, "images": 160}
    compared = engine.compare(workspace, leaves.name, ["distill-nearest"], **settings)
    print({mean["title"]: mean["accuracy"] for mean in compared["means"]})
    files = engine.export(workspace, compared["results"][0]["run"], "student")
    table = engine.predict(workspace, compared["results"][0]["run"], "leaves")  # a DataFrame, a row an image
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.verbs import compare, export, finish, import_images, open_workspace, predict, rank, run

__version__ = "0.2.0"
__all__ = ["__version__", "compare", "export", "finish", "import_images", "open_workspace", "predict", "rank", "run"]


def __getattr__(name: str) -> Any:
    """A verb, with all that it needs, when it is first asked for: whatever imports one room of the engine, such as a
    worker, pays for no other.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from engine import verbs

    return getattr(verbs, name)


def __dir__() -> list[str]:
    """What there is, whether it was asked for yet or not."""
    return sorted({*globals(), *__all__})
