"""Tables of images for tests, which decode nothing, and what an import sees in them."""

from collections import Counter

from engine.tasks.questions import undecided
from tests.engine.intake import made_sources as made

PICTURE = made.jpg(0, (8, 8))


def pictures(count, start="", suffix=".jpg"):
    """Names of images, for the fixture `seen`."""
    return {f"{start}{i:03d}{suffix}": None for i in range(count)}


def labels(found):
    """How many images each label has."""
    return Counter(item.label for item in found.items)


def splits(found):
    """The images of each side."""
    return {split: sorted(i.name for i in found.items if i.split == split) for split in ("train", "test", None)}


def asked(found):
    """Questions that are open, each with the interpretation in force."""
    return {question.key: question.chosen for question in undecided(found.questions)}
