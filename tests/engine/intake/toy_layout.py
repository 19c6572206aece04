"""A layout of one file, as CONTRIBUTING.md says: classes stand in a note beside each image, `cell-7.png` in
`cell-7.class`.
"""

from engine.intake.inventory import Item, image_names, tree_inventory

SUFFIX = ".class"


def notes_beside_images(found):
    """Images with a note each; None for a tree in which no note lies."""
    notes = {name.removesuffix(SUFFIX) for name in found.tree.files if name.endswith(SUFFIX)}
    if not notes:
        return None
    items = []
    for name in image_names(found.tree):
        stem = name.rsplit(".", 1)[0]
        label = found.tree.read(stem + SUFFIX, found.settings.file_bytes).decode().strip() if stem in notes else None
        items.append(Item(name, label))
    return tree_inventory(found, "notes", "notes beside images", items)
