"""A guess at what the columns of a table are, by their names, their values, and the folders of the images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from engine.intake.inventory import IMAGE_SUFFIXES, Columns
from engine.intake.layouts.table_cells import (
    BOOLEANS,
    holds_most_out,
    is_bare_flag,
    is_no_label,
    is_number,
    is_positive,
    is_split_column,
    joined_name,
    number_of,
    split_words,
)
from engine.intake.layouts.table_lookup import last_part

FOLDERS = "folders/"  # of a candidate: the images' folders say their classes
NO_COLUMN = ""  # of a candidate: nothing says the classes
CLOSE = 3.0  # two candidates whose scores differ by less are asked about
LIKELIEST = 4  # candidates that are offered

# How likely a column holds the labels: a sum, whose terms are ours. The tests say what they have to decide.
_NAMED, _NAMED_IN_PART, _NAMED_OTHERWISE, _MAY_BE_A_GROUP = 6.0, 3.0, -4.0, -2.0
_WORDS, _BOOLEANS, _MEASURES = 2.0, -1.0, -3.0
_FOLLOWS_FOLDERS = 4.0
_MANY_VALUES, _ONE_VALUE, _SENTENCES = -2.0, -6.0, -6.0
_ONE_HOT, _HALF_ONE_HOT, _ONE_OF_HOT = 7.0, 2.5, 0.0
_FOLDERS_ALONE, _NONE = 5.0, -1.0
_MOSTLY_ONE = 0.9  # share of rows with exactly one 1, from which columns are classes
_IMPOSSIBLE = -100.0
_LONG = 60  # characters, from which values are sentences

_LABELS = frozenset(
    (
        *(
            "label",
            "labels",
            "class",
            "classes",
            "classname",
            "classnames",
            "classid",
            "classlabel",
            "y",
            "tag",
            "tags",
        ),
        *("category", "categories", "categoryid", "categoryname", "target", "targets", "groundtruth", "gt", "truth"),
        *("species", "speciesname", "scientificname", "commonname", "vernacularname", "taxon", "taxonname", "genus"),
        *("breed", "variety", "cultivar", "crop", "diagnosis", "diagnostic", "dx", "disease", "finding", "findings"),
        *("findinglabels", "pathology", "condition", "emotion", "expression", "landcover", "landuse", "celltype"),
        *("lesiontype", "tumortype", "tumourtype", "imagelabel", "defect", "gesture", "style", "labelname", "labelid"),
    )
)
_LABEL_PARTS = frozenset(
    (
        *("label", "labels", "class", "category", "species", "breed", "diagnosis", "diagnostic", "disease", "target"),
        *("emotion", "taxon", "genus", "variety", "pathology", "finding", "level", "grade", "stage", "severity"),
    )
)
_OTHERS = frozenset(  # names of what describes an image or its making
    (
        *("width", "height", "roi", "bbox", "box", "xmin", "xmax", "ymin", "ymax", "x1", "x2", "y1", "y2", "area"),
        *("size", "resolution", "format", "channels", "depth", "iso", "exposure", "camera", "device", "sensor"),
        *(
            "scanner",
            "instrument",
            "machine",
            "microscope",
            "magnification",
            "zoom",
            "age",
            "sex",
            "gender",
            "male",
            "female",
            "race",
        ),
        *("ethnicity", "weight", "bmi", "smoke", "smoker", "smoking", "drink", "date", "time", "timestamp", "year"),
        *("month", "day", "hour", "datetime", "latitude", "longitude", "lat", "lon", "lng", "gps", "altitude"),
        *("elevation", "temperature", "humidity", "url", "license", "licence", "author", "photographer", "user"),
        *("observer", "annotator", "rater", "source", "filename", "file", "path", "image", "img", "md5", "sha256"),
        *("hash", "checksum", "score", "confidence", "probability", "certainty", "quality", "comment", "comments"),
        *("note", "notes", "remark", "remarks", "description", "caption", "title", "index", "idx", "row", "id", "uuid"),
        *(
            "number",
            "no",
            "nr",
            "count",
            "unnamed",
            "view",
            "frontal",
            "lateral",
            "laterality",
            "projection",
            "split",
            "fold",
            "set",
            "subset",
            "type",
            "method",
        ),
    )
)
_PATHS = frozenset(
    {"image", "images", "img", "file", "filename", "fname", "path", "filepath", "filepaths", "name", "id"}
)
# Where an image comes from: what must not be on both sides of a split, the likeliest one first.
_GROUPS = (
    *("patient", "subject", "participant", "person", "individual", "specimen", "donor", "animal", "case", "slide"),
    *("plate", "tile", "plot", "site", "station", "location", "transect", "deployment", "trap", "herd", "nest", "tree"),
    *("field", "farm", "scene", "video", "sequence", "seq", "burst", "clip", "batch", "well", "lesion", "group"),
)
_MAY_BE_CLASSES = frozenset({"animal", "person", "case", "scene", "group", "tree", "field", "lesion", "site"})


@dataclass(frozen=True)
class LabelColumn:
    """Something that may say the classes: a column, one-hot columns with commas between them, FOLDERS or NO_COLUMN."""

    column: str
    score: float


@dataclass(frozen=True)
class ColumnGuess:
    """What the columns are: "" where none is."""

    path: str
    split: str
    group: str
    labels: tuple[LabelColumn, ...]  # the likeliest first; never empty
    other_groups: tuple[str, ...] = ()  # columns that look like groups, too
    unlikely_splits: tuple[str, ...] = ()  # columns of yes and no that are called like a split, but hold most out

    @property
    def notes_on_splits(self) -> list[str]:
        """What is said of them where no column is the split, a sentence each."""
        return [
            f"The column {column!r} is called like a split, but would hold most images out: it is not taken for one."
            for column in self.unlikely_splits
            if not self.split
        ]

    @property
    def close(self) -> tuple[LabelColumn, ...]:
        """Candidates that are about as likely as the first one, which is among them."""
        return tuple(c for c in self.labels if self.labels[0].score - c.score < CLOSE)[:LIKELIEST]


def one_hot_columns(label: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The one-hot columns that a name of labels means: several of the table's columns, with commas between them."""
    if label in columns or "," not in label:
        return ()
    named = tuple(dict.fromkeys(part.strip() for part in label.split(",")))
    return named if len(named) > 1 and set(named) <= set(columns) else ()


def looks_like_image(value: str, known: frozenset[str]) -> bool:
    """Whether a cell is the name of an image: by its suffix, or as one of the names and stems that are `known`."""
    return value.lower().endswith(IMAGE_SUFFIXES) or last_part(value) in known


def path_column(columns: Sequence[str], sample: Sequence[Mapping[str, str]], known: frozenset[str]) -> str:
    """The column that names images; "" if in none at least half of the cells do."""
    count = max(1, len(sample))
    shares = {c: sum(looks_like_image(row[c], known) for row in sample) / count for c in columns}

    def rank(column: str) -> tuple[float, int, int]:
        # Images called 0, 1, 2 make any column of numbers look like their names.
        suffixes = sum(row[column].lower().endswith(IMAGE_SUFFIXES) for row in sample) / count
        named = bool(set(name_parts(column)) & _PATHS)
        return shares[column] + suffixes / 2 + named / 4, len({row[column] for row in sample}), -columns.index(column)

    likely = [c for c in columns if shares[c] >= 0.5]
    return max(likely, key=rank) if likely else ""


def guess_columns(
    columns: Sequence[str],
    sample: Sequence[Mapping[str, str]],
    known: frozenset[str],
    asked: Columns,
    folders: Sequence[str],
) -> ColumnGuess:
    """What the columns are that were not `asked` for.

    known: names and stems of the images that are there; folders: for each row of the sample the class that the folder
    of its image says, "" for none.
    """
    path = asked.path if asked.path is not None else path_column(columns, sample, known)
    filled = {c: [row[c] for row in sample if row[c]] for c in columns}
    fixed = {asked.label, asked.group, asked.split, path, *one_hot_columns(asked.label or "", columns)}
    rest = [c for c in columns if c and c not in fixed]
    unlikely = [c for c in rest if holds_most_out(c, filled[c])] if asked.split is None else []
    split = asked.split if asked.split is not None else _split([c for c in rest if c not in unlikely], filled)
    rest = [c for c in rest if c != split]
    may_be_labels = [c for c in columns if c in rest or (c and c == asked.label)]
    if "x" in map(joined_name, columns):
        may_be_labels = [c for c in may_be_labels if joined_name(c) != "y" or c == asked.label]  # a place, no label
    labels = _label_candidates(may_be_labels, sample, folders)
    label = asked.label if asked.label is not None else labels[0].column
    free = [c for c in rest if c != label and c not in one_hot_columns(label, columns)]
    groups = _groups(free, filled, sample, label)
    group = asked.group if asked.group is not None else next(iter(groups), "")
    other_groups = tuple(c for c in groups if c != group)
    return ColumnGuess(path, split, group, labels, other_groups, tuple(c for c in unlikely if c != label))


def _split(rest: Sequence[str], filled: Mapping[str, Sequence[str]]) -> str:
    """The column of the split: one that names test images comes first, so that none of them trains."""
    said = {c: set(found.values()) for c in rest if (found := split_words(c, set(filled[c])))}
    return max(said, key=lambda c: ("test" in said[c], is_split_column(c), -rest.index(c)), default="")


def _groups(
    free: Sequence[str], filled: Mapping[str, Sequence[str]], sample: Sequence[Mapping[str, str]], label: str
) -> list[str]:
    """Columns that name patients, sites or plates, the likeliest first, but none that is the label in other words."""
    ranks = {c: _group_rank(c) for c in free if _group_rank(c) < len(_GROUPS) and len(set(filled[c])) > 1}
    if label:
        said = [row.get(label, "") for row in sample]
        ranks = {c: r for c, r in ranks.items() if not _is_same_partition([row[c] for row in sample], said)}
    return sorted(ranks, key=lambda c: (len(set(filled[c])) == len(filled[c]), ranks[c], free.index(c)))


@lru_cache(maxsize=4096)
def name_parts(column: str) -> tuple[str, ...]:
    """The words of a column's name, in small letters.

    Example:
        >>> name_parts("Roi.X1"), name_parts("ClassId")
        (('roi', 'x1'), ('class', 'id'))

    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column)
    return tuple(re.findall(r"[^\W_]+", spaced.casefold()))


@lru_cache(maxsize=4096)
def _group_rank(column: str) -> int:
    """The place among kinds of groups of what a column's name says; as many as there are kinds for none of them."""
    for part in name_parts(column):
        bare = re.sub(r"(s|id|ids|no|nr|num|number|name|code)$", "", part)
        for word in (part, bare):
            if word in _GROUPS:
                return _GROUPS.index(word)
    return len(_GROUPS)


def _label_candidates(
    rest: Sequence[str], sample: Sequence[Mapping[str, str]], folders: Sequence[str]
) -> tuple[LabelColumn, ...]:
    """What may say the classes, the likeliest first."""
    one_hot, share = _one_hot(rest, sample)
    single = [c for c in rest if c not in one_hot or share < _MOSTLY_ONE]
    found = [
        LabelColumn(c, _ONE_OF_HOT if c in one_hot else _score(c, [row[c] for row in sample], folders)) for c in single
    ]
    found = [c for c in found if c.score > _IMPOSSIBLE]
    if one_hot:
        found.append(LabelColumn(",".join(one_hot), _ONE_HOT if share >= _MOSTLY_ONE else _HALF_ONE_HOT))
    if _are_classes(folders):
        found.append(LabelColumn(FOLDERS, _FOLDERS_ALONE))
    found.append(LabelColumn(NO_COLUMN, _NONE))
    found.sort(key=lambda c: -c.score)  # stable: the table's own order where nothing else decides

    def says(candidate: LabelColumn) -> list[str]:
        if candidate.column == FOLDERS:
            return list(folders)
        return [row.get(candidate.column, "") for row in sample]

    first, *others = found
    # class_id beside class_name, or folders by class: the same in other words is no other candidate.
    return (first, *(c for c in others if not _is_same_partition(says(c), says(first))))


def _score(column: str, cells: Sequence[str], folders: Sequence[str]) -> float:
    values = [cell for cell in cells if cell and not is_no_label(cell)]
    distinct = set(values)
    named = _name_score(column)
    if len(distinct) < 2 or _is_nearly_unique(len(distinct), len(values)):
        if named < _NAMED_IN_PART or not distinct:  # one value, or nearly as many as images, tells nothing apart
            return _IMPOSSIBLE
        named += _ONE_VALUE if len(distinct) < 2 else _MANY_VALUES
    score = named + _kind_score(distinct)
    if _are_classes(folders) and _is_same_partition(cells, folders):
        score += _FOLLOWS_FOLDERS
    return score


def _is_nearly_unique(distinct: int, count: int) -> bool:
    """Whether nearly each image has a value of its own; of few values one that is there twice is enough."""
    return 2 * distinct > count if count >= _ENOUGH else distinct == count > 2


_ENOUGH = 20  # values, from which their share of different ones says something


def _name_score(column: str) -> float:
    parts = name_parts(column)
    if joined_name(column) in _LABELS:
        return _NAMED
    if _group_rank(column) < len(_GROUPS):
        may_be = any(part.removesuffix("s") in _MAY_BE_CLASSES for part in parts) and len(parts) == 1
        return _MAY_BE_A_GROUP if may_be else _NAMED_OTHERWISE
    if set(parts) & _OTHERS:
        return 0.0 if set(parts) & _LABEL_PARTS else _NAMED_OTHERWISE
    return _NAMED_IN_PART if set(parts) & _LABEL_PARTS else 0.0


def _kind_score(distinct: set[str]) -> float:
    if all(is_number(value) for value in distinct):
        whole = all(number_of(value).is_integer() for value in distinct)
        return (0.0 if len(distinct) > 2 else _BOOLEANS) if whole else _MEASURES
    if all(value.casefold() in BOOLEANS for value in distinct):
        return _BOOLEANS
    if sum(len(value) for value in distinct) > _LONG * len(distinct):
        return _SENTENCES
    return _WORDS


def _are_classes(folders: Sequence[str]) -> bool:
    """Whether the folders of most images say classes, few enough to tell something apart."""
    said = [name for name in folders if name]
    if 2 * sum(_group_rank(re.sub(r"\d+", " ", name)) < len(_GROUPS) for name in said) > len(said):
        return False  # patient00001, patient00002
    return len(set(said)) > 1 and 10 * len(said) >= 9 * len(folders) and 2 * len(set(said)) <= max(4, len(said))


def _is_same_partition(cells: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two columns tell the same rows apart, one in other words than the other."""
    pairs = {(a, b) for a, b in zip(cells, others, strict=True) if a and b}
    return len(pairs) > 1 and len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})


def _one_hot(rest: Sequence[str], sample: Sequence[Mapping[str, str]]) -> tuple[tuple[str, ...], float]:
    """Columns of which each is a class, with 1 for the images of it; and the share of rows with exactly one 1."""
    binary = [c for c in rest if "," not in c and _is_binary([row[c] for row in sample])]
    binary = [c for c in binary if _name_score(c) < _NAMED and not is_split_column(c)]
    usual = [c for c in binary if _name_score(c) > _NAMED_OTHERWISE]  # a class may be called Box, too
    fewer = [c for c in usual if not is_bare_flag(c)]  # or train, beside car and bus, while valid says something else
    columns, share = max(((of, _share_of_one(of, sample)) for of in (usual, binary, fewer)), key=lambda pair: pair[1])
    return (tuple(columns), share) if len(columns) > 2 or (len(columns) == 2 and share == 1) else ((), 0.0)


def _share_of_one(columns: Sequence[str], sample: Sequence[Mapping[str, str]]) -> float:
    return sum(sum(is_positive(row[c]) for c in columns) == 1 for row in sample) / max(1, len(sample))


def _is_binary(cells: Sequence[str]) -> bool:
    """Whether cells are 0 and 1, with nothing else but -1 (uncertain, or no) and empty ones."""
    values = {cell for cell in cells if cell and not is_no_label(cell)}
    return bool(values) and all(is_number(v) and number_of(v) in (-1.0, 0.0, 1.0) for v in values)
