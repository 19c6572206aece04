"""The form of the Distill page: what shall run, what it comes to, how long it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from app import cached, state
from app.components import labels, page, queued, wording
from app.components.escaping import escape
from app.components.progress import progress_text
from app.views.distill import fields
from app.views.distill.draft import DistillDraft
from app.visitor_cookie import is_demo
from engine import devices, jobs
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.methods import METHODS, REFERENCE, Method, Recipe, get_method, preselected, with_p
from engine.runs import (
    LOCAL,
    Proposal,
    RunSpec,
    Speed,
    active_weights,
    configured,
    defaults,
    effective_teachers,
    estimate_seconds,
    get_engine,
    known_speed,
    line,
    place_of,
    plan,
    proposal_for,
    request_speed,
)
from engine.similarity import METRICS
from engine.student import STUDENTS, student_title
from engine.tasks import Task
from engine.teachers import IMAGENET, bundled_names, bundled_teacher, cost
from engine.training import TrainSpec
from engine.workspace import Workspace

SEED_COUNTS = (1, 3, 5)
SIZES = (32, 48, 64, 96, 128, 160, 224)
LARGEST_BUDGET = 100_000_000
MEASURE_POLL = 1.0  # s
IMAGES_KEY = "distill-images"


@dataclass(frozen=True)
class Choice:
    """What the form says, whole. methods: keys as the engine knows them. values: fields of TrainSpec and settings."""

    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    device: str
    engine: str = LOCAL
    alpha: Mapping[str, float] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def specs(self, task: Task) -> list[RunSpec]:
        """The runs. Raises WorkbenchError for what cannot be run."""
        return plan(
            state.workspace(),
            task,
            self.methods,
            self.seeds,
            labels_per_class=state.labels_per_class(),
            device=self.device,
            engine=self.engine,
            **self.training,
        )

    @property
    def training(self) -> dict[str, Any]:
        """How the methods train, as `plan` takes it."""
        return {"metric": state.metric(), "alpha": self.alpha, **self.values}


def ask() -> Choice:
    """Draw the form and give what it says."""
    usual = defaults(state.task())
    left, right = st.columns([3, 2], gap="large")
    with left:
        methods = _ask_methods()
    with right:
        seeds, images = _ask_budget(usual["images"])
        engine, device = _ask_where()
        architecture, size = _ask_student(usual["size"])
    more = st.expander("Advanced training settings", icon=":material/tune:", key="distill-advanced", on_change="rerun")
    with more:
        values = fields.draw(device, usual)
    values |= {"images": images, "architecture": architecture, "size": size}
    return Choice(methods, seeds, device, engine, state.manual_alpha(), values)


def draw_plan(task: Task, choice: Choice, specs: Sequence[RunSpec], workspace: Workspace) -> None:
    """What the choice comes to, read from the runs that it would start: the student's cost, steps by method, the
    weights, the time. Raises WorkbenchError.
    """
    recipes = {spec.method: spec.recipe for spec in specs}
    first = specs[0].train
    parameters, gflops = _cost(first.architecture, len(task.classes), first.size)
    st.caption(
        f"Student: {wording.parameters(parameters)}, {wording.gflops(gflops)} per image of "
        f"{first.size} × {first.size} pixels. {_weights_origin(first)}"
    )
    st.table(_steps_table(workspace, choice, recipes), border="horizontal", hide_index=True, alt="Steps of each method")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        said = f":material/label: The runs use {labels.used(task)}"
        if not state.uses_all_labels():
            said += f": {labels.per_class(task)}" + (", in each seed's own draw" if len(choice.seeds) > 1 else "")
        elif len(choice.seeds) > 1:
            said += ": seeds differ in initialization and order only"
        st.markdown(f"{said}.", width="content")
        page.link("task", "Change", ":material/edit:")
    _draw_weights(task, choice)
    if choice.engine == LOCAL:
        _draw_time(workspace, choice, recipes)
        _offer_proposal(workspace, task, choice, recipes)
    else:
        st.markdown(f":material/timer: {get_engine(choice.engine).title} decides how many run at a time.")


def _ask_methods() -> tuple[str, ...]:
    st.markdown("**Methods**")
    ticked = {}
    recommended = preselected()[-1]  # it was the best over all tasks (docs/evidence.md), and stands first
    for key, method in sorted(METHODS.items(), key=lambda item: item[0] != recommended):
        shown = _as_set(method)
        label = f"**{shown.title}{', weights set by hand' if method.by_hand and state.manual_alpha() else ''}**"
        if key == recommended:
            label += " :green-badge[Recommended]"
        if st.checkbox(
            f"{label} · {method.summary}",
            value=method.preselected,
            key=f"distill-method-{key}",
            persist_state="session",
            wrap=True,
        ):
            ticked[key] = shown.key
    chosen = [ticked[key] for key in METHODS if key in ticked]  # run in the same order as from the command line
    if chosen and REFERENCE.key not in chosen:
        without = f"Without {REFERENCE.title.lower()} there is nothing to hold the other methods against."
        st.caption(f":material/info: {without}")
    return tuple(chosen)


def _as_set(method: Method) -> Method:
    """The method with the exponent that the Teachers page set, if that is meant for it and weights are not."""
    return method if state.manual_alpha() or not method.by_hand else with_p(method, state.p())


def _ask_budget(usual: int) -> tuple[tuple[int, ...], int]:
    count = st.segmented_control(
        "Seeds",
        SEED_COUNTS,
        default=SEED_COUNTS[0],
        required=True,
        key="distill-seeds",
        persist_state="session",
        help="Several seeds give an interval over seeds; one seed gives an interval over test images only. "
        + (
            "As all labels are used, seeds differ in initialization, order and augmentation only."
            if state.uses_all_labels()
            else "Each seed draws its own labeled images as well, so that the interval covers the choice of labels."
        ),
    )
    images = st.number_input(
        "Image budget of each run",
        1,
        LARGEST_BUDGET,
        usual,
        step=1000,
        key=IMAGES_KEY,
        persist_state="session",
        help="Student images with gradient: labeled and other images alike, counted each time they are trained on. "
        "All methods get the same.",
    )
    first = state.seed()
    return tuple(range(first, first + int(count or 1))), int(images or 1)


def _ask_where() -> tuple[str, str]:
    """The engine, where settings.json names one beside this machine, and the device."""
    workspace, engine = state.workspace(), LOCAL
    try:
        if len(there := configured(workspace)) > 1:
            engine = st.selectbox(
                "Where",
                there,
                format_func=lambda key: get_engine(key).title,
                key="distill-engine",
                persist_state="session",
                help="A cluster does many runs at a time. Its settings are in settings.json of the workspace.",
            )
        if engine != LOCAL:
            device, threads = place_of(workspace, engine, None)
            what = "a GPU" if devices.kind(device) == "cuda" else wording.count(threads, "processor")
            st.caption(f"Each run gets {what} of {get_engine(engine).title}.")
            return engine, device
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
    _ask_device()
    return LOCAL, state.device()


def _ask_device() -> None:
    """Cards come with their free memory; of several, any free card is the first."""
    there = devices.available()
    if len(there) == 1:
        st.caption(f"Device: {devices.describe(there[0])}, the only one of this machine.")
        return
    st.selectbox(
        "Device",
        there,
        format_func=devices.label,
        help="On any free card runs go side by side, one on each." if len(devices.cards()) > 1 else None,
        **state.bound("distill-device", state.device(), state.set_device),
    )


def _ask_student(usual: int) -> tuple[str, int]:
    left, right = st.columns([3, 2])
    with left:
        architecture = st.selectbox(
            "Student",
            list(STUDENTS),
            format_func=student_title,
            key="distill-architecture",
            accept_new_options=True,
            persist_state="session",
            help="These three have their ImageNet weights here. Any other timm architecture can be typed.",
        )
    sizes = sorted({*SIZES, usual})
    with right:
        size = st.selectbox(
            "Image size",
            sizes,
            index=sizes.index(usual),
            format_func=lambda pixels: f"{pixels} px",
            key=_size_key(usual),
            persist_state="session",
        )
    return str(architecture or next(iter(STUDENTS))).strip(), int(size or usual)


def _weights_origin(train: TrainSpec) -> str:
    bundled = map(bundled_teacher, bundled_names())  # an added teacher never serves as a start
    here = {record.architecture for record in bundled if record.collection == IMAGENET}
    if train.start == "random":
        return "It starts from random weights."
    if train.architecture in here:
        return "Its ImageNet weights are here."
    if is_demo():
        return (
            "Its ImageNet weights are not here, and downloads are closed in this demo: choose one of "
            f"{wording.listed(list(STUDENTS.values()))}, or let it start from random weights."
        )
    return (
        "Its ImageNet weights are downloaded when its first run starts; without the internet, choose one of "
        f"{wording.listed(list(STUDENTS.values()))}, or let it start from random weights."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _cost(architecture: str, classes: int, size: int) -> tuple[int, float]:
    return cost(architecture, classes, size)


def _steps_table(workspace: Workspace, choice: Choice, recipes: Mapping[str, Recipe]) -> dict[str, list[str]]:
    found = {
        "Method": [get_method(key).title for key in recipes],
        "Steps": [f"{recipe.train.steps:,}" for recipe in recipes.values()],
        "Images a step": [_images_per_step(recipe.train) for recipe in recipes.values()],
    }
    if choice.engine != LOCAL:
        return found
    speeds = {key: known_speed(workspace, recipe, choice.device) for key, recipe in recipes.items()}
    about = [
        wording.duration(estimate_seconds(speed, recipes[key].train)) if speed else "not measured"
        for key, speed in speeds.items()
    ]
    return {**found, "About": about}


def _images_per_step(train: TrainSpec) -> str:
    if not train.unlabeled_batch:
        return f"{train.images_per_step} labeled"
    return f"{train.labeled_batch} labeled + {train.unlabeled_batch} unlabeled"


def _draw_weights(task: Task, choice: Choice) -> None:
    if not any(get_method(key).weights for key in choice.methods):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/balance: {_weights_sentence(task, choice)}", width="content")
        page.link("teachers", "Teachers and weights", ":material/school:")


def _weights_sentence(task: Task, choice: Choice) -> str:
    if not any(get_method(key).by_hand for key in choice.methods):
        return "These methods set their weights themselves."
    by_hand = state.manual_alpha()
    if by_hand:
        number = effective_teachers(active_weights(by_hand))
        return f"Weights set by hand: effective number of teachers {number:.1f}."
    ranking = cached.ranking(task)
    if ranking is None:
        return (
            f"Weights follow from {METRICS[state.metric()].title} at p = {_shown_p()}; what the teachers say of the "
            "labeled images is not extracted yet, and the first run extracts it."
        )
    number = effective_teachers(active_weights(ranking.alpha(state.p())))
    said = f"Effective number of teachers {number:.1f} of {len(ranking.candidates)}, at p = {_shown_p()}"
    if not ranking.possible:
        return f"{said}: no ranking is possible with these labels, so all teachers weigh the same."
    each = " Each seed draws its own labels, and so its own weights." if len(choice.seeds) > 1 else ""
    return f"{said}, seed {state.seed()}.{each}"


def _shown_p() -> str:
    return f"{state.p():g}".replace("inf", "∞")


def _draw_time(workspace: Workspace, choice: Choice, recipes: Mapping[str, Recipe]) -> None:
    """How long the runs take, from how fast such runs were here last; otherwise the offer to measure it."""
    each = {key: known_speed(workspace, recipe, choice.device) for key, recipe in recipes.items()}
    missing = [recipe for key, recipe in recipes.items() if each[key] is None]
    if missing:
        _offer_to_measure(workspace, missing, choice.device, "How long this takes here is not known yet.", "Measure it")
        return
    speeds = [speed for speed in each.values() if speed]
    total = len(choice.seeds) * sum(estimate_seconds(speed, recipes[key].train) for key, speed in each.items() if speed)
    count = len(recipes) * len(choice.seeds)
    beside = min(count, devices.count(choice.device))
    runs = wording.count(count, "run")
    order = f"{beside} at a time" if beside > 1 else "one after the other"
    _offer_to_measure(
        workspace,
        list(recipes.values()),
        choice.device,
        f"**About {wording.duration(total / beside)}** for {runs}, {order} :gray[({_where_from(speeds)}; the teachers' "
        "features of all images are extracted on top, once)]",
        "Measure again",
    )


def _offer_proposal(workspace: Workspace, task: Task, choice: Choice, recipes: Mapping[str, Recipe]) -> None:
    """Another size and budget for photographs, with the time and the reason, unless the form says so already."""
    found = proposal_for(workspace, task, list(recipes.values()), len(choice.seeds), choice.device)
    if found is None or (found.size, found.images) == (choice.values["size"], choice.values["images"]):
        return
    runs = wording.count(len(recipes) * len(choice.seeds), "run")
    said = f"**{found.size} px, {found.images:,} images** for these photographs: {found.reason}"
    how = "" if found.measured else ", estimated"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f":material/photo_camera: {said} :gray[About {wording.duration(found.seconds)} for {runs} on "
            f"{found.device}{how}.]",
            width="content",
        )
        st.button("Use these", type="tertiary", icon=":material/check:", on_click=_take_over, args=(task, found))


def _take_over(task: Task, found: Proposal) -> None:
    """Put a proposal into the form."""
    st.session_state[IMAGES_KEY] = found.images
    st.session_state[_size_key(defaults(task)["size"])] = found.size


def _size_key(usual: int) -> str:
    return f"distill-size-{usual}"  # another task may have decided for another size


def _where_from(speeds: Sequence[Speed]) -> str:
    """What an estimate rests on: a busy moment is not to be taken for how it always is."""
    ages = [wording.ago(speed.measured_at) for speed in sorted(speeds, key=lambda speed: speed.measured_at)]
    when = ages[-1] if ages[0] == ages[-1] else f"{ages[0]} to {ages[-1]}"
    how = "as runs went" if all(speed.in_a_run for speed in speeds) else "measured"
    return f"{how} {when} on {speeds[0].machine}, as busy as it was then"


def _offer_to_measure(workspace: Workspace, recipes: Sequence[Recipe], device: str, text: str, label: str) -> None:
    """A text about time, with the button that lets the queue measure; while it does, how far that is."""
    slot = DistillDraft.current().measurement
    job = slot.job()
    if job is not None and not jobs.status(job).terminal:
        _watch_measurement(job)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/timer: {text}", width="content")
        if st.button(label, type="tertiary", icon=":material/speed:", help="Two seconds a method, when nothing waits."):
            wanted = [replace(recipe, train=_of_usual_length(recipe.train)) for recipe in recipes]
            slot.ask(lambda: request_speed(workspace, wanted, device))
            st.rerun()
    if job is not None and jobs.status(job).state == "failed":
        st.caption(f":material/timer_off: No estimate: {escape(jobs.status(job).message or '')}")


def _of_usual_length(train: TrainSpec) -> TrainSpec:
    """The length of a run does not matter to its speed: one request serves every budget."""
    return replace(train, images=max(TrainSpec.images, train.images_per_step))


def _watch_measurement(job: Job) -> None:
    """How far the measurement is; the page is drawn again when it has ended."""

    @st.fragment(run_every=MEASURE_POLL)
    @page.guarded
    def refresh() -> None:
        now = jobs.status(job)
        if now.terminal:
            st.rerun()
        doing = progress_text(now) if now.state == "running" else _waits(job)
        st.caption(f":material/timer: Measuring how fast the student trains here: {doing}.")

    refresh()


def _waits(job: Job) -> str:
    return queued.waits_for(job, line(state.workspace(), job))
