"""Opening whatever files come in."""

from __future__ import annotations

from pathlib import Path

from engine.errors import InvalidInputError
from engine.files import storage_error
from engine.intake.sources.archive import open_archive
from engine.intake.sources.folder import FolderTree
from engine.intake.sources.tree import Tree
from engine.settings import ImportSettings


def open_tree(path: Path, settings: ImportSettings, encoding: str = "") -> Tree:
    """The files of a folder or of an archive (ZIP, TAR, TAR.GZ, TAR.BZ2).

    encoding: of names that are not UTF-8; "" = as they seem to be. Raises InvalidInputError for what is neither, or
    breaks a limit or a rule; DamagedFileError for a damaged archive.
    """
    try:
        if path.is_dir():
            return FolderTree(path, settings, encoding)
        if not path.exists():
            raise InvalidInputError(f"{path} does not exist: check the path.")
        if not path.is_file():
            raise InvalidInputError(f"{path} is neither a file nor a folder: name a folder, a ZIP or a table.")
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        if isinstance(error, ValueError):
            raise InvalidInputError(f"{str(path)!r} cannot be a path: check it.") from error
        raise storage_error(error, path) from error
    return open_archive(path, settings, encoding)
