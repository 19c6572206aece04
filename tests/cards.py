"""Cards for machines without one: what nvidia-smi and PyTorch would say of them."""

import string

import torch

from engine.devices import listing

A, B = "GPU-aaaaaaaa-0000", "GPU-bbbbbbbb-0000"


def made_up_cards(monkeypatch, count, *, visible=None, counted=None):
    """`count` cards, named "NVIDIA A" and so on, each with a GB more that is free. counted: what PyTorch sees."""
    counted = count if counted is None else counted
    letters = string.ascii_lowercase[:count]
    lines = [f"{i}, GPU-{x * 8}-0000, NVIDIA {x.upper()}, 81920, {(70 + i) * 1024}" for i, x in enumerate(letters)]
    monkeypatch.setattr(listing, "listed", lambda moment: listing.cards_in("\n".join(lines)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: counted > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: counted)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index=0: "a slice")
    for name in ("CUDA_VISIBLE_DEVICES", "WORKBENCH_CARD", "WORKBENCH_CARDS"):
        monkeypatch.delenv(name, raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    listing.roomiest.cache_clear()
