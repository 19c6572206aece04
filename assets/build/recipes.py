"""The recipe of every trained teacher: what it looks at, how it is built and how long it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assets.build import readers
from assets.build.pictures import PictureSet
from assets.build.tasks import TASKS, read_task
from assets.build.training import Augmentation, Schedule

LITE0 = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a trained teacher's weights, and the words of its record."""

    name: str
    title: str
    pictures: Callable[[], PictureSet]  # "train" is learned from, "test" is held out
    collection: str
    parts: tuple[str, ...]  # () = the whole collection
    architecture: str
    init: str  # "imagenet" or "random"
    input_size: int
    resize: str
    schedule: Schedule
    augmentation: Augmentation
    held_out: str  # one phrase: which images the accuracy was measured on
    license: str
    development: bool = False  # written to out/ and not bundled
    seed: int = 1


def _quickdraw(name: str, title: str, parts: tuple[str, ...], development: bool = False) -> Recipe:
    return Recipe(
        name=name,
        title=title,
        pictures=lambda: readers.quickdraw(parts, test_per_class=20),
        collection="quickdraw",
        parts=parts,
        architecture=LITE0,
        init="imagenet",
        input_size=56,
        resize="squash",
        schedule=Schedule(epochs=13, learning_rate=2e-3),
        augmentation=Augmentation(flip=True, turn=10, zoom=0.12, shift=0.06),
        held_out="20 sketches of each class, drawn by lot",
        license="CC-BY-4.0",
        development=development,
    )


_ALL = (
    _quickdraw("quickdraw-300", "Sketches of 300 things", ("classes-000-254", "classes-255-299")),
    _quickdraw("quickdraw-255", "Sketches of 255 things", ("classes-000-254",), development=True),
    Recipe(
        name="cifar10",
        title="Small photographs of animals and vehicles",
        pictures=readers.cifar10,
        collection="cifar10",
        parts=(),
        architecture=LITE0,
        init="imagenet",
        input_size=56,
        resize="squash",
        schedule=Schedule(epochs=2, learning_rate=2e-3),
        augmentation=Augmentation(flip=True, zoom=0.1, shift=0.08, contrast=0.1),
        held_out="the official test images",
        license="the package says ISC; the image set itself states none",
    ),
    Recipe(
        name="emoji-google",
        title="Flat emoji in fine groups",
        pictures=lambda: readers.emoji("google", "subcategory", 0.2, size=64, least_per_class=5).without_copies(),
        collection="emoji",
        parts=("code-points-google",),
        architecture=LITE0,
        init="imagenet",
        input_size=64,
        resize="pad",
        schedule=Schedule(epochs=40, learning_rate=1e-3, batch=48),
        augmentation=Augmentation(flip=True, turn=12, zoom=0.15, shift=0.08, contrast=0.15),
        held_out="a fifth of the families of look-alike emoji in each class",
        license="Apache-2.0 (Noto Emoji)",
    ),
    Recipe(
        name="openclipart",
        title="Clip art in 13 subjects",
        pictures=lambda: read_task(TASKS / "openclipart.parquet"),
        collection="openclipart",
        parts=(),
        architecture=LITE0,
        init="imagenet",
        input_size=96,
        resize="pad",
        schedule=Schedule(epochs=15, learning_rate=8e-4, batch=48),
        augmentation=Augmentation(flip=True, turn=10, zoom=0.15, shift=0.08, contrast=0.15),
        held_out="the test images of the task openclipart",
        license="Public domain",
    ),
    Recipe(
        name="letters",
        title="Printed capital letters",
        pictures=lambda: readers.letters(readers.CAPITALS, readers.ALL_FONTS, renderings=6, size=64),
        collection="latin-letters",
        parts=("capitals",),
        architecture="lcnet_035",
        init="random",
        input_size=56,
        resize="squash",
        schedule=Schedule(epochs=25, learning_rate=3e-3),
        augmentation=Augmentation(turn=8, zoom=0.15, shift=0.06, contrast=0.2),
        held_out="letters in font families that were not trained on (Bebas, Caviar, Droid, Raleway, Sansation)",
        license="MIT (the renderings; of the fonts, none is distributed)",
    ),
    Recipe(
        name="fashion-mnist",
        title="Clothes",
        pictures=readers.fashion_mnist,
        collection="fashion-mnist",
        parts=(),
        architecture="mobilenetv3_small_050",
        init="random",
        input_size=64,
        resize="squash",
        schedule=Schedule(epochs=12, learning_rate=4e-3, batch=192),
        augmentation=Augmentation(flip=True, zoom=0.05, shift=0.03),
        held_out="the official test images",
        license="MIT (Zalando SE)",
    ),
    Recipe(
        name="mnist",
        title="Handwritten digits",
        pictures=readers.mnist,
        collection="mnist",
        parts=(),
        architecture="lcnet_035",
        init="random",
        input_size=56,
        resize="squash",
        schedule=Schedule(epochs=10, learning_rate=4e-3, batch=192),
        augmentation=Augmentation(turn=10, zoom=0.1, shift=0.05),
        held_out="the official test images",
        license="the package says ISC; the image set itself states none",
    ),
)

RECIPES = {recipe.name: recipe for recipe in _ALL}
