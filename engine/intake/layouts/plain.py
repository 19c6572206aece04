"""Layouts that anybody may have: folders by class, with or without folders by split."""

from __future__ import annotations

from engine.errors import InvalidInputError
from engine.intake.inventory import Found, Inventory, image_names, is_text, tree_inventory
from engine.intake.layouts.folder_arranging import Arranged, Arranging
from engine.intake.sources import Skipped
from engine.intake.tables import settle_validation
from engine.tasks.questions import Question, answered

LAYOUTS = {"class": "class-folders", "split": "split-folders", "labeled": "labeled-unlabeled"}
_TITLES = {"class": "folders by class", "split": "folders by split and class", "labeled": "labeled and unlabeled"}


def folders(found: Found) -> Inventory:
    """Images in folders: `class/image`, below `train`, `val`, `test`, `labeled` and `unlabeled` where these are there.

    What is not nearly certain (masks, variants of the same pictures, patients) becomes a question. Columns that say
    that there is no label say so of folders, too: they are then patients, days or cameras.
    Raises InvalidInputError if there is no image, or for an answer that no question has.
    """
    tree = found.tree
    names = image_names(tree)
    if not names:
        nested = [s.name for s in tree.skipped if "archive inside" in s.reason]
        hint = f" It holds the archive {nested[0][:60]!r}: unpack that one and import it." if nested else ""
        raise InvalidInputError(
            f"{tree.title} holds no image files: bring JPEG, PNG, WebP, TIFF, BMP, GIF or DICOM files, in folders, in "
            f"a ZIP, or with a table that names them.{hint}"
        )
    if len(names) > found.settings.images:
        raise InvalidInputError(
            f"{tree.title} holds more than {found.settings.images:,} images: import fewer, or raise the setting."
        )
    arranging = Arranging(found, names)
    arranged = arranging.arrange(found.answers)
    if not arranged.items:
        raise InvalidInputError(f"None of the {len(names):,} images of {tree.title} takes part: answer otherwise.")
    items, more = settle_validation(arranged.items)
    taken = set(names)
    others = [Skipped(n, "is no image by its name") for n in tree.files if n not in taken and not is_text(n)]
    unlabeled = all(item.label is None for item in items)
    return tree_inventory(
        found,
        LAYOUTS[arranged.structure],
        "images without classes" if unlabeled else _TITLES[arranged.structure],
        items,
        notes=(*arranged.notes, *more),
        skipped=(*others, *arranged.left_out),
        questions=folder_questions(found, arranging, arranged),
    )


def folder_questions(found: Found, arranging: Arranging, arranged: Arranged) -> tuple[Question, ...]:
    """What was guessed, with how many images each interpretation would label."""
    questions = []
    for guess in arranged.guesses:
        chosen = found.answers.get(guess.key, guess.default)
        titles = {
            key: (
                title,
                (arranged if key == chosen else arranging.arrange({**found.answers, guess.key: key})).labeled,
            )
            for key, title in guess.titles.items()
        }
        questions.append(answered(found.answers, guess.key, guess.text, titles, guess.default))
    return tuple(questions)
