"""Where files come from: a folder or an archive, as a tree of named files that can be read one by one.

Nothing is unpacked: a file's name is a key, never a path that is written to.
"""

from engine.tasks.sources.archive import open_archive
from engine.tasks.sources.folder import LINKS, FolderTree, allowed_root
from engine.tasks.sources.opening import open_tree
from engine.tasks.sources.tree import Skipped, Tree

__all__ = ["LINKS", "FolderTree", "Skipped", "Tree", "allowed_root", "open_archive", "open_tree"]
