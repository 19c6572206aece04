"""The table of what timm's pretrained networks cost: counted once here, so that a search does not build networks."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import timm
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from assets.build.progress import say, track
from engine.files import write_bytes

COSTS = Path(__file__).parents[1] / "registry" / "costs.csv"
COLUMNS = ("name", "parameters", "gflops", "width")


def write_costs() -> None:
    """Count every network with pretrained weights that this version of timm knows, and write the table.

    One that cannot be built, or gives no features of an image, stands there with zeros, and is said.
    """
    rows = []
    names = timm.list_models(pretrained=True)
    for name in track(names, len(names), "networks"):
        try:
            rows.append((name, *count(name)))
        except Exception as error:  # a thousand networks, each with its own way to refuse
            rows.append((name, 0, "0", 0))
            say(f"{name} cannot be used ({type(error).__name__}: {next(iter(str(error).splitlines()), '')[:120]})")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_bytes(COSTS, text.getvalue().encode())
    say(f"{COSTS.name}: {len(rows):,} networks, {COSTS.stat().st_size:,} bytes")


def count(name: str) -> tuple[int, str, int]:
    """Parameters with its own head, multiply-accumulates / 1e9 of one image at its own size with four digits, and the
    width of its pooled features; 0 where they are no vector. On PyTorch's meta device: nothing is computed or stored.
    """
    config = timm.get_pretrained_cfg(name)
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False).eval().requires_grad_(False)
        pixels = torch.zeros(1, *config.input_size)
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # as engine.teachers.cost
            features = model.forward_head(model.forward_features(pixels), pre_logits=True)
        operations = counter.get_total_flops()
    usable = isinstance(features, torch.Tensor) and features.ndim == 2
    head = model.get_classifier()
    if isinstance(head, nn.Linear):
        operations += 2 * head.in_features * head.out_features
        usable = usable and features.shape[1] == head.in_features
    # The counter counts a multiply-accumulate as two operations.
    return (
        sum(parameter.numel() for parameter in model.parameters()),
        f"{operations / 2e9:.4g}",
        features.shape[1] if usable else 0,
    )
