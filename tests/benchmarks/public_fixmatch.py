"""Drives kekmodel/FixMatch-pytorch, from a folder in which it lies, for so many steps: `... STEPS SEED WORKBENCH_HOME`.

Its own are the training loop `train.train` with its losses, its test and its checkpoint, the average `ModelEMA`, the
data set class, the two views with its RandAugment, the learning rate and the groups of weight decay. Brought along are:
the images and the student, with channels last as ours; crops of 64 instead of 32 pixels in the two views; loaders whose
iterators have the `next` that PyTorch dropped, reading in the same process; a writer that forgets, where TensorBoard
may be missing. Unlike ours it sends the weak views through the network together with the others, so that the backward
pass runs over them as well, though no gradient comes from them.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.tasks import Draw
from engine.workspace import Workspace

ARCHITECTURE, SIZE, TASK = "tf_efficientnet_lite0", 64, "quickdraw"
LABELED, OTHERS, LABELS_PER_CLASS = 32, 64, 5  # their loop takes a whole number of other images to a labeled one


def drive(steps: int, seed: int, workspace: Workspace) -> None:
    """Train for `steps` steps, test once, save once."""
    import timm
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    from engine.review import open_task

    forgetful = ModuleType("torch.utils.tensorboard")
    forgetful.SummaryWriter = Writer  # type: ignore[attr-defined]  # a module made here
    sys.modules["torch.utils.tensorboard"] = forgetful
    import train as public
    from dataset.cifar import CIFAR10SSL, TransformFixMatch, normal_mean, normal_std, transforms
    from dataset.randaugment import RandAugmentMC
    from models.ema import ModelEMA

    class Pictures(CIFAR10SSL):  # type: ignore[misc]  # theirs has no types
        """Their data set over images that are there already."""

        def __init__(self, data: Any, targets: Any, transform: Any) -> None:
            self.data, self.targets, self.transform, self.target_transform = data, targets, transform, None

        def __len__(self) -> int:
            return len(self.data)

    class Loader(DataLoader):  # type: ignore[type-arg]  # of whatever their data set gives
        def __iter__(self) -> Any:
            return WithNext(super().__iter__())

    class WithNext:
        def __init__(self, batches: Any) -> None:
            self.batches = batches

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            return next(self.batches)

        next = __next__

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    task = open_task(workspace, TASK)
    crop = [transforms.RandomHorizontalFlip()]
    crop += [transforms.RandomCrop(size=SIZE, padding=int(SIZE * 0.125), padding_mode="reflect")]
    views = TransformFixMatch(mean=normal_mean, std=normal_std)
    views.weak, views.strong = transforms.Compose(crop), transforms.Compose([*crop, RandAugmentMC(n=2, m=10)])

    def pictures(rows: Any, transform: Any) -> Pictures:
        pixels = task.images.pixels([int(row) for row in rows], SIZE, task.record.resize)
        return Pictures(pixels, task.labels[rows], transform)

    labeled = pictures(task.labeled_rows(Draw(LABELS_PER_CLASS, seed)), transforms.Compose([*crop, views.normalize]))
    others, held_out = pictures(task.train_rows, views), pictures(task.test_rows, views.normalize)
    with tempfile.TemporaryDirectory() as out:
        settings = {"amp": False, "world_size": 1, "start_epoch": 0, "epochs": 1, "eval_step": steps, "local_rank": -1}
        settings |= {"mu": OTHERS // LABELED, "T": 1, "threshold": 0.95, "lambda_u": 1, "use_ema": True, "out": out}
        args = Namespace(**settings, device=torch.device("cpu"), no_progress=True, writer=Writer())
        model = timm.create_model(ARCHITECTURE, num_classes=len(task.classes)).to(memory_format=torch.channels_last)
        decayed = {n: p for n, p in model.named_parameters() if not any(part in n for part in ("bias", "bn"))}
        rest = [p for n, p in model.named_parameters() if n not in decayed]
        groups = [{"params": [*decayed.values()], "weight_decay": 5e-4}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.SGD(groups, lr=0.03, momentum=0.9, nesterov=True)
        public.train(
            args,
            Loader(labeled, LABELED, sampler=RandomSampler(labeled), drop_last=True),
            Loader(others, OTHERS, sampler=RandomSampler(others), drop_last=True),
            Loader(held_out, LABELED),
            model,
            optimizer,
            ModelEMA(args, model, 0.999),
            public.get_cosine_schedule_with_warmup(optimizer, 0, steps),
        )


class Writer:
    """Takes what TensorBoard would write."""

    def add_scalar(self, *values: object) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    drive(int(sys.argv[1]), int(sys.argv[2]), Workspace(Path(sys.argv[3])))
