"""Maps: a task's training images as points in the plane, as one teacher's features see them.

PCA at once, UMAP as a job: of a sample that takes seconds, and on demand of the whole split (`whole`). Test images have
no place on a map: whoever looks at one chooses teachers, and the test images must take no part in that. Coordinates lie
in maps/<task>/<teacher>-<key>/, under the feature cache's own key. Those of the program's own tasks come with it, so
that nobody waits for them; they are read while task and teacher are still what they were made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.features import FeatureStore, extract
from engine.features.extraction import LOADING
from engine.files import canonical_hash
from engine.installation import bundled
from engine.jobs import INTERACTIVE, Job, Reporter, request
from engine.review import open_task
from engine.similarity.linear_algebra import unit_rows
from engine.tasks import Task
from engine.teachers import TeacherRecord, get_teacher
from engine.tensors import read_tensors, reading_tensors, write_tensors
from engine.workspace import Workspace

ASSETS = bundled("maps")  # recorded: <task>/<teacher>.safetensors
KIND = "map"
KINDS = ("pca", "umap")
LARGEST_MAP = 5000  # images: the most that a map of a few seconds holds; of more, a seeded sample is drawn
LARGEST_WHOLE = 100_000  # images: the most that a map of the whole split holds, which is three minutes of two cores
SEED = 0  # of the sample, and of UMAP
PCA_DIMENSIONS = 50  # ours: what UMAP looks at; it makes its search for neighbors some 20 times faster
UMAP_NEIGHBORS, UMAP_MIN_DISTANCE = 15, 0.1  # umap-learn's own defaults
# From here on a map starts from PCA, which needs no eigenvectors of a large graph, and takes fewer epochs than
# umap-learn's 200, so that 100,000 images take three minutes of one core (ours).
SPECTRAL_BELOW, EPOCHS_OF_MANY = 20_000, 120
SETTINGS = "settings"  # of a recorded map, in its file's metadata
STEPS = 2**16 - 1  # that the coordinates of a recorded map are rounded to: a hundred of them are a pixel
DRAWING, EPOCHS, DRAWING_MANY = "Drawing the map", "Moving the points", "Drawing the maps"  # stages


MapProgress: TypeAlias = Callable[[int, int | None, str], None]  # done, total, stage; may raise to stop


@dataclass(frozen=True)
class Map:
    """Points of a task's images: `rows [n]` of its image table, sorted, and `coordinates [n, 2]`."""

    kind: str  # "pca" or "umap"
    rows: NDArray[np.int64]
    coordinates: NDArray[np.float32]
    recorded: str = ""  # of one that came with the program: what drew it, such as "umap-learn 0.5.9"


def map_rows(task: Task, *, whole: bool = False) -> NDArray[np.int64]:
    """Rows of the training images that a map shows, sorted: all of them, or a seeded sample of `LARGEST_MAP`, of the
    whole split of `LARGEST_WHOLE`.
    """
    rows, largest = task.train_rows, _largest(whole)
    if len(rows) <= largest:
        return rows
    return np.sort(np.random.default_rng([SEED, _SAMPLE_STREAM]).choice(rows, largest, replace=False))


def seen_rows(workspace: Workspace, task: Task, teacher: str, *, whole: bool = False) -> NDArray[np.int64]:
    """Those of `map_rows` whose features are in the cache already, sorted. Raises UnknownNameError."""
    rows = map_rows(task, whole=whole)
    return np.setdiff1d(rows, FeatureStore(workspace, task, get_teacher(workspace, teacher)).missing(rows, 0))


def pca_map(workspace: Workspace, task: Task, teacher: str) -> Map | None:
    """The two directions in which the features seen so far vary most; None while there are fewer than three images.

    It takes a second at most, and is not kept on disk. Each image's features are scaled to length 1 first; a
    direction's sign is set so that its largest loading is positive. Raises UnknownNameError.
    """
    rows = seen_rows(workspace, task, teacher)
    if len(rows) < 3:
        return None
    features = _unit_features(workspace, task, get_teacher(workspace, teacher), rows)
    return Map("pca", rows, _pca(features, 2))


def read_map(workspace: Workspace, task: Task, teacher: str, kind: str, *, whole: bool = False) -> Map | None:
    """The map of `map_rows` that was drawn in this workspace, else the recorded one (a UMAP, and none of `whole`), or
    None. It takes no network and no feature.

    Raises UnknownNameError for a kind that is none.
    """
    record = get_teacher(workspace, teacher)
    for by in (_shown(task, whole), task.revision):
        path = _path(workspace.maps, task, record, kind, whole, by)
        try:
            stored = read_tensors(path, "numpy")
            rows, coordinates = stored["rows"].astype(np.int64), stored["coordinates"]
            if coordinates.shape != (len(rows), 2) or not np.isfinite(coordinates).all():
                raise DamagedFileError(f"{path} is damaged: it is no map.")
            return Map(kind, rows, coordinates)
        except FileNotFoundError:
            continue
        except (DamagedFileError, KeyError):
            path.unlink(missing_ok=True)  # it can be drawn again
    return None if kind == "pca" or whole else recorded_map(task, record)


def recorded_map(task: Task, teacher: TeacherRecord) -> Map | None:
    """The UMAP that came with the program, or None: there is none, or not of these images, labels and split, of these
    weights or of these parameters. The version of umap-learn may be another one; the map says which it was.
    """
    try:
        with reading_tensors(_recorded_path(ASSETS, task, teacher), "numpy", also=(SETTINGS,)) as file:
            settings = json.loads((file.metadata() or {}).get(SETTINGS, "{}"))
            steps, low, step = (file.get_tensor(name) for name in ("steps", "low", "step"))
    except (FileNotFoundError, DamagedFileError):  # it can be drawn here
        return None
    rows = map_rows(task)
    if steps.shape != (len(rows), 2) or not _made_of(task, teacher).items() <= settings.items():
        return None
    return Map("umap", rows, low + step * steps.astype(np.float32), recorded=f"umap-learn {settings['umap']}")


def record_map(root: Path, task: Task, teacher: TeacherRecord, drawn: Map) -> None:
    """Keep the UMAP of `map_rows` in the folder `root` as one that comes with the program: in `STEPS` of its longer
    side, with all that it was made of and with. Raises StorageError.
    """
    low = drawn.coordinates.min(axis=0)
    step = np.maximum((drawn.coordinates - low).max() / STEPS, np.finfo(np.float32).tiny)
    arrays = {
        "steps": np.round((drawn.coordinates - low) / step).astype(np.uint16),
        "low": low,
        "step": np.array([step], dtype=np.float32),
    }
    settings = _made_of(task, teacher) | {"umap": version("umap-learn")}
    write_tensors(_recorded_path(root, task, teacher), arrays, {SETTINGS: json.dumps(settings)})


def write_map(root: Path, task: Task, teacher: TeacherRecord, drawn: Map, *, whole: bool = False) -> None:
    """Keep a map of `map_rows` in the folder `root`. Raises StorageError."""
    arrays = {"rows": drawn.rows.astype(np.int32), "coordinates": drawn.coordinates}
    write_tensors(_path(root, task, teacher, drawn.kind, whole, _shown(task, whole)), arrays)


def request_map(workspace: Workspace, task: Task, teacher: str, device: str, *, whole: bool = False) -> Job:
    """Queue the job that extracts the features of `map_rows` and draws the UMAP. Asking twice gives the same job; one
    that ended early is queued again.

    Raises UnknownNameError or StorageError.
    """
    spec = {
        "task": task.name,
        "task_revision": task.revision,
        "teacher": teacher,
        "key": get_teacher(workspace, teacher).key,
    }
    return request(
        workspace.jobs,
        f"map-{task.name}-{teacher}",
        kind=KIND,
        spec=spec | {"parameters": _parameters(whole)} | ({"whole": True} if whole else {}),
        device=device,
        lane=INTERACTIVE,
    )


def request_maps(workspace: Workspace, task: Task, teachers: Sequence[str], device: str) -> Job:
    """Queue the one job that does what `request_map` does for several teachers: each image is decoded once for all of
    them, and each map is there as soon as it is drawn. Raises as `request_map`.
    """
    spec = {
        "task": task.name,
        "task_revision": task.revision,
        "teachers": {name: get_teacher(workspace, name).key for name in teachers},
        "parameters": _parameters(False),
    }
    return request(workspace.jobs, f"maps-{task.name}", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def asked_teachers(spec: Mapping[str, Any]) -> dict[str, str]:
    """The keys of the teachers that a job of this kind is about, by name."""
    return dict(spec["teachers"]) if "teachers" in spec else {spec["teacher"]: spec["key"]}


def execute_map(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind. Raises InvalidInputError if task or teacher have changed since."""
    task, asked = open_task(workspace, job.spec["task"]), asked_teachers(job.spec)
    teachers = [get_teacher(workspace, name) for name in asked]
    for teacher in teachers:
        if task.revision != job.spec["task_revision"] or teacher.key != asked[teacher.name]:
            raise InvalidInputError(f"Task {task.name!r} or teacher {teacher.name!r} has changed since: ask again.")

    units, whole = {LOADING: "teachers", EPOCHS: "epochs"}, bool(job.spec.get("whole"))

    def progress(done: int, total: int | None, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total, units.get(stage, "images"), stage)

    if len(teachers) > 1:
        extract(workspace, task, teachers, map_rows(task), device=job.device, progress=progress)
    for place, teacher in enumerate(teachers):
        told = progress if len(teachers) == 1 else partial(_told_of_many, report, place, len(teachers))
        known = read_map(workspace, task, teacher.name, "umap", whole=whole)
        if known is None or known.recorded:
            drawn = draw_umap(workspace, task, teacher.name, job.device, told, whole=whole)
            write_map(workspace.maps, task, teacher, drawn, whole=whole)


def _told_of_many(report: Reporter, place: int, maps: int, done: int, total: int | None, stage: str) -> None:
    """The progress of one map among several: how many are drawn is what counts."""
    report.check_cancelled()
    report.progress(place, maps, "maps", DRAWING_MANY)


def draw_umap(
    workspace: Workspace,
    task: Task,
    teacher: str,
    device: str,
    progress: MapProgress = lambda done, total, stage: None,
    *,
    whole: bool = False,
) -> Map:
    """Extract what is missing of the features of `map_rows`, and draw their UMAP. Raises as `engine.features.extract`;
    `progress` may raise to stop.
    """
    rows, record = map_rows(task, whole=whole), get_teacher(workspace, teacher)
    extract(workspace, task, [record], rows, device=device, progress=progress)
    progress(0, None, f"{DRAWING} of {len(rows):,} images")
    return Map("umap", rows, umap_coordinates(_unit_features(workspace, task, record, rows), progress))


def umap_coordinates(
    features: NDArray[np.float32], progress: MapProgress = lambda done, total, stage: None
) -> NDArray[np.float32]:
    """UMAP of `features [n, D]`, n of 3 or more: `[n, 2]`, the same numbers every time (so it runs on one thread).

    From `SPECTRAL_BELOW` images on it starts from PCA and takes `EPOCHS_OF_MANY`. `progress` is told each epoch of the
    points, and may raise to stop. Reference: McInnes, Healy and Melville 2018, arXiv 1802.03426.
    """
    import umap  # it loads numba, which takes seconds and which nothing but a map needs

    dimensions = min(PCA_DIMENSIONS, *features.shape)
    drawing = umap.UMAP(
        n_neighbors=min(UMAP_NEIGHBORS, len(features) - 1),
        min_dist=UMAP_MIN_DISTANCE,
        init=_start(len(features)),
        n_epochs=None if len(features) < SPECTRAL_BELOW else EPOCHS_OF_MANY,
        random_state=SEED,
        n_jobs=1,
        tqdm_kwds={"disable": False, "file": _Told(progress), "bar_format": "{n} {total}", "mininterval": 0.5},
    )
    return np.asarray(drawing.fit_transform(_pca(features, dimensions)), dtype=np.float32)


_SAMPLE_STREAM = 0x3A9


class _Told:
    """Where the progress bar of umap-learn writes, which is how it says that an epoch is done."""

    def __init__(self, progress: MapProgress) -> None:
        self._progress = progress
        self._stopped = False

    def write(self, text: str) -> None:
        """Pass on "12 200"; what the bar writes beside that, to clean up after itself, is nothing."""
        if self._stopped or len(numbers := text.split()) != 2:
            return
        try:
            self._progress(int(numbers[0]), int(numbers[1]), EPOCHS)
        except BaseException:
            from tqdm.auto import tqdm

            self._stopped = True
            tqdm.get_lock().release()  # the bar holds it while it writes, and would keep what other threads wait for
            raise

    def flush(self) -> None:
        """Nothing is held back."""


def _start(points: int) -> str:
    """Where UMAP puts so many points first; the spectral start needs more of them than its eigenvectors."""
    if points <= UMAP_NEIGHBORS:
        return "random"
    return "spectral" if points < SPECTRAL_BELOW else "pca"


def _largest(whole: bool) -> int:
    return LARGEST_WHOLE if whole else LARGEST_MAP


def _unit_features(
    workspace: Workspace, task: Task, teacher: TeacherRecord, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Features `[rows, D]` scaled to length 1, so that near means alike in direction."""
    return unit_rows(FeatureStore(workspace, task, teacher).read_features(rows))


def _pca(features: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA  # takes a second to load: who only reads maps or asks for one needs it not

    projected = PCA(dimensions, svd_solver="randomized", random_state=SEED).fit_transform(features)
    return np.asarray(projected, dtype=np.float32)


def _parameters(whole: bool) -> dict[str, Any]:
    return {
        "kind": "umap",
        "images": _largest(whole),
        "seed": SEED,
        "dimensions": PCA_DIMENSIONS,
        "neighbors": UMAP_NEIGHBORS,
        "distance": UMAP_MIN_DISTANCE,
        "umap": version("umap-learn"),
    }


def _made_of(task: Task, teacher: TeacherRecord) -> dict[str, Any]:
    """What a recorded map is of: where any of it has changed, it is another map."""
    drawn = {name: value for name, value in _parameters(whole=False).items() if name != "umap"}
    return {"task_revision": task.revision, "teacher": teacher.name, "key": teacher.key, **drawn}


def _recorded_path(root: Path, task: Task, teacher: TeacherRecord) -> Path:
    return root / task.name / f"{teacher.name}.safetensors"


def _shown(task: Task, whole: bool) -> str:
    """What a map follows from besides the teacher: the images that it shows, and their shape. Not their labels: whoever
    labels images on a map keeps it. Maps of an earlier version went by the task's revision, and are still found.
    """
    rows = hashlib.sha256(map_rows(task, whole=whole).tobytes()).hexdigest()
    return canonical_hash([task.images.content_hash, task.record.resize, task.record.flip, rows])


def _path(root: Path, task: Task, teacher: TeacherRecord, kind: str, whole: bool, by: str) -> Path:
    """Where a map lies. by: what it follows from, besides the teacher."""
    if kind not in KINDS:
        raise UnknownNameError("kind of map", kind, KINDS)
    key = canonical_hash([by, _parameters(whole) | {"kind": kind}])
    # Outputs of teachers without a network lie in folders of one name, each beside its teacher's record.
    outputs = FeatureStore(task.workspace, task, teacher).folder.name
    folder = outputs if teacher.has_network else f"{teacher.name}-{teacher.key}"
    return root / task.name / folder / f"{kind}-{key}.safetensors"
