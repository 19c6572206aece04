"""A teacher on a device: how many images at once, in which precision, and what happens when its memory is full.

Nobody has run the part for a card on a card yet: what it decides is tested on a CPU, which itself always computes in
fp32.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Float16, UInt8
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import InvalidInputError, UnavailableError
from engine.teachers import Network

CPU_BATCH = 128  # images that a CPU runs together
CARD_BATCHES = (32, 512)  # the fewest and the most of a card: fewer leave it idle, more gain nothing (ours)
# An EfficientNet holds about 24 numbers for each of an image's at its widest layer, some others twice as many (ours).
NUMBERS_A_NUMBER = 50
SHARE_OF_FREE = 0.5  # of a card's free memory, because others may want some
COSINE_DISTANCE = 1e-3  # of features in half precision to those in fp32, of 99 in 100 images
PROBABILITY_DISTANCE = 1e-2  # of pseudo-labels likewise: half of what two distributions differ by in all
HALVES = (torch.float16, torch.bfloat16)  # in the order they are tried: float16 is nearer, bfloat16 reaches further


def batch_of(device: torch.device, largest: int) -> int:
    """How many images of `largest` × `largest` pixels are decoded and run together on `device`."""
    if device.type != "cuda":
        return CPU_BATCH
    return batch_within(int(torch.cuda.mem_get_info(device)[0]), largest)


def batch_within(free: int, largest: int) -> int:
    """As `batch_of`, on a card with so many bytes free: a power of two within CARD_BATCHES."""
    fewest, most = CARD_BATCHES
    fitting = int(SHARE_OF_FREE * free) // (4 * 3 * largest**2 * NUMBERS_A_NUMBER)
    return min(most, max(fewest, 1 << max(0, fitting.bit_length() - 1)))


def pinned(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Memory of the host from which a card copies by itself, while this process goes on."""
    return torch.empty(shape, dtype=torch.uint8, pin_memory=True).numpy()


def near_enough(
    exact: tuple[Float[Tensor, "B D"], Float[Tensor, "B Z"]], quick: tuple[Float[Tensor, "B D"], Float[Tensor, "B Z"]]
) -> bool:
    """Whether features and logits in half precision may stand for those in fp32.

    Of 99 in 100 images the cosine of the features must differ from 1 by 0.001 at most, and the pseudo-labels by 0.01 in
    total variation; all must be finite.
    """
    (features, logits), (quick_features, quick_logits) = exact, (quick[0].float(), quick[1].float())
    if not (torch.isfinite(quick_features).all() and torch.isfinite(quick_logits).all()):
        return False
    cosine = torch.nn.functional.cosine_similarity(features.float(), quick_features)  # [B]
    varied = (logits.float().softmax(1) - quick_logits.softmax(1)).abs().sum(1) / 2  # [B]
    return bool(torch.quantile(1 - cosine, 0.99) <= COSINE_DISTANCE) and bool(
        torch.quantile(varied, 0.99) <= PROBABILITY_DISTANCE
    )


@dataclass(frozen=True)
class Computed:
    """What a teacher says of some images, on its way from a device to this process."""

    features: Float16[Tensor, "B D"]
    pseudo_labels: Float16[Tensor, "B Z"]
    pixels: Tensor  # kept until the device has read it
    arrived: torch.cuda.Event | None  # None where nothing has to be waited for

    def arrays(self, name: str) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Features and pseudo-labels, waited for. Raises InvalidInputError for features of teacher `name` that half
        precision cannot hold.
        """
        if self.arrived is not None:
            self.arrived.synchronize()
        if not torch.isfinite(self.features).all():
            raise InvalidInputError(f"Teacher {name!r} gives features that are no number below 65,504: leave it out.")
        return self.features.numpy(), self.pseudo_labels.numpy()


def _on_its_way(there: Tensor) -> Tensor:
    """Memory of the host into which a card is copying a tensor."""
    here = torch.empty(there.shape, dtype=there.dtype, pin_memory=True)
    return here.copy_(there, non_blocking=True)


class Forward:
    """Runs one teacher on batches of pixels.

    say(text) hears of what a user should know, such as that the memory was full. On a card the first batch decides the
    precision: that of HALVES whose outputs are `near_enough`, else fp32.
    """

    def __init__(self, network: Network, device: torch.device, say: Callable[[str], None]) -> None:
        self.network, self.device, self.say = network, device, say
        self.decided = device.type != "cuda"
        self.most = 2**31  # images at once

    def __call__(self, pixels: UInt8[Tensor, "B 3 S S"], memory: Tensor) -> Computed:
        """Features and pseudo-labels of pixels on the device. memory: of the host, from which they are being copied.

        Raises UnavailableError if the device has no memory for one image.
        """
        with torch.inference_mode():
            if not self.decided:
                self._decide(pixels)
            features, logits = self._in_parts(pixels)
            halves, pseudo_labels = features.half(), logits.float().softmax(1).half()
        if self.device.type != "cuda":
            return Computed(halves.cpu(), pseudo_labels.cpu(), memory, None)
        here = _on_its_way(halves), _on_its_way(pseudo_labels)
        return Computed(*here, memory, torch.cuda.current_stream(self.device).record_event())

    def _decide(self, pixels: Tensor) -> None:
        """Go on in half precision if what it gives is near enough."""
        self.decided, exact = True, self._in_parts(pixels)
        precise = self.network
        for dtype in HALVES:
            self.network = copy.deepcopy(precise).to(dtype)
            if near_enough(exact, self._in_parts(pixels)):
                return
        self.network = precise

    def _in_parts(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of as many images at once as there is memory for."""
        while True:
            try:
                found = [cast(tuple[Tensor, Tensor], self.network(part)) for part in torch.split(pixels, self.most)]
            except torch.OutOfMemoryError:
                pass  # what it holds is free outside of the handler alone
            else:
                features, logits = zip(*found, strict=True)
                return (features[0], logits[0]) if len(found) == 1 else (torch.cat(features), torch.cat(logits))
            self.most = min(self.most, len(pixels)) // 2
            if not self.most:
                raise UnavailableError(
                    f"{self.device} has no memory left for one image: end what else runs there, or choose another one."
                )
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.say(f"memory was full: {self.most} images at once")
