"""Layouts: how a source arranges its images, classes and splits, and the recognition of each."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import InvalidInputError
from engine.intake.inventory import Found, Inventory
from engine.intake.layouts import official
from engine.intake.layouts.cifar import cifar_10
from engine.intake.layouts.parquet import image_shards, parquet_images
from engine.intake.layouts.plain import folders
from engine.intake.layouts.table_choice import tables_inventory

# In this order: the most particular first. Each gives None for what is not its own.
KNOWN: tuple[Callable[[Found], Inventory | None], ...] = (
    cifar_10,
    official.nabirds,
    official.cub_200_2011,
    official.oxford_pets,
    official.stanford_dogs,
    official.isic_2018_task_3,
    official.chestx_ray14,
    official.eurosat,
)


def recognize(found: Found) -> Inventory:
    """The images of a tree, by the first layout that fits: a known data set, Parquet with images, a table beside
    images, or folders.

    Raises InvalidInputError if there are no images, DamagedFileError if a list or table cannot be read.
    """
    for layout in KNOWN:
        inventory = layout(found)
        if inventory is not None:
            if not inventory.items:
                raise InvalidInputError(
                    f"{found.tree.title} looks like {inventory.layout_title}, but none of its images is there: put "
                    "them beside its lists."
                )
            return inventory
    if shards := _parquet_shards(found):
        return parquet_images(found, shards)
    return tables_inventory(found) or folders(found)


def _parquet_shards(found: Found) -> list[str]:
    names = [name for name in found.tree.files if name.lower().endswith(".parquet")]
    return image_shards(found.tree, names, found.settings) if names else []
