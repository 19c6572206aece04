"""The temperature of a student: what makes calibrated probabilities of those that an exported file gives."""

from __future__ import annotations

from dataclasses import dataclass

from engine.delivery.calibration import run_calibration
from engine.errors import WorkbenchError
from engine.workspace import Workspace


@dataclass(frozen=True)
class Temperature:
    """One number above 0 that divides the logarithms of the probabilities (Guo and others 2017, arXiv 1706.04599): more
    than 1 makes them less sure. Where none was fitted, nothing changes them.
    """

    value: float = 1.0
    images: int = 0  # held-out images that it was fitted on; 0 where none was

    @property
    def fields(self) -> dict[str, float | int]:
        """As student.json and a graph's metadata have it."""
        return {"temperature": self.value, "temperature_images": self.images}

    @property
    def applied(self) -> str:
        """Where probabilities are at it, in a few words."""
        return f"at temperature {self.value:.2f}, fitted on {self.images:,} held-out images"

    @property
    def plain(self) -> str:
        """What plain softmax is beside what the workbench shows, a sentence or two."""
        if not self.images:
            return "Probabilities are the plain softmax; no temperature was fitted, so the workbench shows the same."
        return (
            f"Probabilities are the plain softmax. The workbench shows them {self.applied}: each to the power of "
            f"1 / {self.value:.2f}, then scaled to sum to 1, which is the softmax of the outputs divided by "
            f"{self.value:.2f}. The likeliest class stays the same."
        )


def temperature_of(workspace: Workspace, run: str) -> Temperature:
    """The temperature of a finished run's student, as the page Predict takes it for new images."""
    try:
        found = run_calibration(workspace, run)
    except WorkbenchError:  # what was kept of its held-out images cannot be read: Predict shows plain softmax, too
        return Temperature()
    return Temperature() if found is None or found.reason else Temperature(found.temperature, found.images)
