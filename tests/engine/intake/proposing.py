"""What a source holds, before any image is decoded, as an import finds it first."""

from engine.intake import ImportRequest
from engine.intake.discovery import find_images
from engine.settings import import_settings


def propose(workspace, source, request=None):
    """The inventory of a source, to be closed."""
    return find_images(workspace, request or ImportRequest(source=source, title="preview"), import_settings(workspace))
