"""Where files come from: a folder or an archive, as a tree of named files that can be read one by one.

Nothing is unpacked: a file's name is a key, never a path that is written to.
"""

from engine.intake.sources.detection import open_tree
from engine.intake.sources.folder import FolderTree
from engine.intake.sources.tree import Skipped, Tree

__all__ = ["FolderTree", "Skipped", "Tree", "open_tree"]
