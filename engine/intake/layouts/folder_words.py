"""What the names of folders say: splits, masks, variants of the same pictures, and words that say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from engine.intake.tables import SPLIT_WORDS

_LABELED = frozenset({"labeled", "labelled"})
_UNLABELED = frozenset({"unlabeled", "unlabelled", "unsorted"})
_FORMATS = frozenset({"jpg", "jpgs", "jpeg", "jpegs", "jpegimages", "png", "pngs", "tif", "tiff", "dicom", "dcm"})
_PICTURES = frozenset({"image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pics", "frames"})
_PLAIN = frozenset({"set", "sets", "data", "dataset", "datasets", "folder", "folders", "file", "files", "split"})
GENERIC = _FORMATS | _PICTURES | _PLAIN  # words that say nothing of what is on the pictures
_ORIGINALS = frozenset({"original", "originals", "input", "inputs", "rgb", "raw", "scans"})
_MASKS = frozenset(
    (
        *("mask", "masks", "annotation", "annotations", "annot", "groundtruth", "gt", "trimap", "trimaps"),
        *("segmentation", "segmentations", "segmentationclass", "segmentationobject", "seg", "labelmap", "labelmaps"),
    )
)
# Sets that are only to be predicted have images and no labels.
_TO_PREDICT = dict.fromkeys(("pred", "predict", "prediction", "predictions", "unseen"), "test")
_SPLITS = {**{word: split for word, split in SPLIT_WORDS.items() if word.isalpha()}, **_TO_PREDICT}
_COMPOUND = re.compile(r"^(.+?)(set|sets|data|images|imgs)$")
# The same picture again, the likeliest one to keep first.
_VARIANTS = (
    *("color", "colour", "colored", "coloured", "rgb", "original", "originals", "raw", "unprocessed"),
    *("resized", "rescaled", "cropped", "enhanced", "preprocessed", "processed", "normalized", "equalized", "clahe"),
    *("denoised", "filtered", "blurred", "segmented", "masked", "edges", "augmented", "grayscale", "greyscale"),
    *("gray", "grey", "thermal", "infrared", "ir", "nir", "depth", "flipped", "rotated"),
)
_COUNTED = (  # what is counted where images come from
    r"(patient|subject|case|participant|specimen|sample|slide|tile|plot|fold|batch|part|day|week|month|year|session|site"
    r"|camera|cam|scanner|hospital|center|centre|clinic|farm|field|region|season|run|visit|group|device|lab|round|plate"
    r"|node|study|series|scan)[ _-]?([0-9]+|[a-z])([ _-]?[0-9]+)?"
)
_TELLS_NO_CLASS = re.compile(
    r"(19|20)\d\d([-_.]\d\d?)*|\d+ ?x|\d+ ?[x×] ?\d+|\d+ ?(px|dpi|p)"
    rf"|{_COUNTED}([ _-]{_COUNTED})*"
    r"|spring|summer|autumn|fall|winter|morning|evening|night|day|low|high|indoor|outdoor"
    r"|january|february|march|april|may|june|july|august|september|october|november|december"
)


@lru_cache(maxsize=65_536)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters, without numbers.

    Example:
        >>> words("TrainingSet_2017")
        ('training', 'set')

    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    joined = re.sub(r"h(?:e|o)ld[\W_]*out", "holdout", spaced.casefold())
    return tuple(re.findall(r"[^\W\d_]+", joined))


@lru_cache(maxsize=65_536)
def split_of(name: str) -> tuple[str, frozenset[str]] | None:
    """The split that a folder's name says ("train", "val" or "test") as a whole word, and its other words; None where
    it says none, or several. Words that say nothing, or only count, are left out.

    Example:
        >>> split_of("cars_train")
        ('train', frozenset({'cars'}))
        >>> split_of("strain") is None
        True

    """
    if name.lower() in SPLIT_WORDS and not name.isdigit():
        return SPLIT_WORDS[name.lower()], frozenset()
    found, rest = set(), set()
    for word in words(name):
        compound = _COMPOUND.match(word)
        bare = compound[1] if compound and compound[1] in _SPLITS else word
        if bare in _SPLITS:
            found.add(_SPLITS[bare])
        elif bare not in GENERIC and not _counts(bare):
            rest.add(bare)
    if found == {"train", "val"}:  # train_val, dev_train
        return "train", frozenset(rest)
    return (found.pop(), frozenset(rest)) if len(found) == 1 else None


def _counts(word: str) -> bool:
    """Whether a word is a letter that only counts, as in TestA and TestB."""
    return len(word) == 1 and word.isascii()


def is_split_word(name: str) -> bool:
    """Whether a folder's name says a split and nothing else, such as "Train" or "test_images"."""
    found = split_of(name)
    return found is not None and not found[1]


def named_splits(names: Iterable[str]) -> dict[str, str]:
    """Those of some folders side by side that are splits, with the split: by a word that stands alone (train), or by
    names that differ in that word only (cars_train and cars_test). So "steam train" beside "test tube" is none.
    """
    said = {name: found for name in names if (found := split_of(name)) is not None}
    by_rest: dict[frozenset[str], set[str]] = {}
    for split, rest in said.values():
        by_rest.setdefault(rest, set()).add(split)
    return {name: split for name, (split, rest) in said.items() if not rest or len(by_rest[rest]) > 1}


def is_labeled(name: str) -> bool:
    """Whether a folder's name says that its images have labels, such as "labeled_images"."""
    return bool(_bare(name)) and _bare(name) <= _LABELED


def is_unlabeled(name: str) -> bool:
    """Whether a folder's name says that its images have no labels, such as "unlabeled2017"."""
    return name.lower() == "unknown_class" or (bool(_bare(name)) and _bare(name) <= _UNLABELED)


def _bare(name: str) -> frozenset[str]:
    return frozenset(words(name)) - GENERIC


def is_generic(name: str) -> bool:
    """Whether a folder's name says nothing: images, data, jpg."""
    found = words(name)
    return bool(found) and all(word in GENERIC for word in found)


def is_pictures(name: str) -> bool:
    """Whether a folder's name says that the pictures themselves lie in it."""
    found = words(name)
    return bool(found) and all(word in GENERIC | _ORIGINALS for word in found) and not set(found) <= _PLAIN


def is_mask_folder(name: str) -> bool:
    """Whether a folder's name says masks or annotations. A class may be called so: other signs have to be there."""
    found = set(words(name))
    bare = found - GENERIC
    return bool(found & _MASKS) or {"ground", "truth"} <= found or bare in ({"label"}, {"labels"})


def tells_no_class(name: str) -> bool:
    """Whether a folder's name is that of a variant, a year, a magnification or a place rather than of a class."""
    return variant_rank(name) is not None or _TELLS_NO_CLASS.fullmatch(name.casefold().strip()) is not None


def variant_rank(name: str) -> int | None:
    """How good a variant of the same pictures a folder's name says, from 0 (color) up; None for no variant."""
    ranks = [_VARIANTS.index(word) for word in words(name) if word in _VARIANTS]
    bare = [word for word in words(name) if word not in _VARIANTS and word not in GENERIC]
    return max(ranks) if ranks and not bare else None


def in_words(names: Mapping[str, object] | Iterable[str], most: int = 3) -> str:
    """Some names for a sentence: 'a', 'b', 'c' and 2 more."""
    listed = sorted(names)
    shown = ", ".join(repr(name[:40]) for name in listed[:most])
    return shown + (f" and {len(listed) - most:,} more" if len(listed) > most else "")
