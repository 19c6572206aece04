"""A student's folder, put on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from engine.delivery.formats import timm_folder
from engine.errors import InvalidInputError, UnavailableError
from engine.teachers.hub import check_repository, require_name


def check_push(form: str, name: str) -> None:
    """Raises InvalidInputError for a format that the hub does not load, or a name that is no repository's."""
    if form != timm_folder.FORMAT.key:
        raise InvalidInputError(f"The hub loads the format {timm_folder.FORMAT.key}, not {form}: leave --format out.")
    check_repository(name)


def push(folder: Path, name: str) -> str:
    """Put what the format timm wrote into a private repository of the hub, which is made if it is not there; gives its
    address.

    Who may write there is what `hf auth login` has set up. Raises UnavailableError where the hub cannot be reached or
    refuses; the folder stays as it is.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    host = urlsplit(constants.ENDPOINT).hostname
    stays = f"{folder} is complete, and can be put there later"
    try:
        require_name(constants.ENDPOINT)
        api = HfApi()
        api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="A student of Distill Workbench")
    except (HfHubHTTPError, LocalTokenNotFoundError) as error:  # the first is an OSError too
        status = getattr(getattr(error, "response", None), "status_code", None)
        refused = f"answered with {status}" if status else "knows nobody here"
        raise UnavailableError(
            f"{host} {refused}, so nothing was put into {name}: sign in with `hf auth login` as somebody who may write "
            f"there. {stays}."
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"{host} cannot be reached, so nothing was put into {name}: connect to the internet. {stays}."
        ) from error
    return f"{constants.ENDPOINT}/{name}"
