"""A finished student, ready to answer: on its device, with how images were read for its training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from engine.delivery.finished import finished_run
from engine.devices import resolve, set_up
from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.images import Reading, reading_from
from engine.student import StudentRecord, load_student, read_student
from engine.tasks import task_as_labeled
from engine.teachers import Network
from engine.workspace import Workspace


@dataclass(frozen=True)
class ReadyStudent:
    """A finished student on a device."""

    run: str
    folder: Path  # of its run
    record: StudentRecord
    network: Network
    device: torch.device
    reading: Reading  # how the images of its task became RGB
    notes: tuple[str, ...] = ()  # what is to be known about it, a sentence each

    @property
    def looks_like(self) -> tuple[int, str, Reading]:
        """What an image has to be made into; students that share it can answer side by side."""
        return self.record.input_size, self.record.resize, self.reading

    def answer(self, pixels: UInt8[Tensor, "B 3 S S"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B K"]]:
        """Features and logits, on the CPU. Raises InvalidInputError if the device has no memory for one image."""
        with torch.inference_mode():
            features, logits = _in_parts(self.network, pixels.to(self.device))
        return features.float().cpu(), logits.float().cpu()


def _in_parts(network: Network, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """What a network says of pixels, of half of them at a time where the device has no memory for all."""
    try:
        found: tuple[Tensor, Tensor] = network(pixels)
        return found
    except torch.OutOfMemoryError as error:
        if len(pixels) == 1:
            raise InvalidInputError(
                "The memory of the device is full with one image: end what else uses the device, or choose the cpu."
            ) from error
    halves = [_in_parts(network, half) for half in pixels.tensor_split(2)]
    return torch.cat([features for features, _ in halves]), torch.cat([logits for _, logits in halves])


def ready_student(workspace: Workspace, run: str, device: str | None = None) -> ReadyStudent:
    """The student of a finished run, on a device ("auto", "cuda", "cuda:1", "mps", "cpu"; None = the best there is).

    Raises UnknownNameError, InvalidInputError if the run has no student yet, DamagedFileError, StorageError.
    """
    folder = finished_run(workspace, run)
    place = set_up(resolve(device))
    record = read_student(folder)
    reading, notes = _reading_of(workspace, record.task)
    return ReadyStudent(run, folder, record, load_student(folder, place), place, reading, notes)


def _reading_of(workspace: Workspace, task: str) -> tuple[Reading, tuple[str, ...]]:
    """How the images of a task became RGB, and what is to be said where that is not known any more."""
    try:
        return reading_from(task_as_labeled(workspace, task).record.reading), ()
    except (UnknownNameError, DamagedFileError):
        note = (
            f"Task {task!r} of this student cannot be read any more: images with more than 8 bits or other channels "
            "than red, green and blue are read by their own range."
        )
        return Reading(), (note,)
