"""The demo, `WORKBENCH_DEMO=1`: each visitor works in a scratch of their own over a workspace that all share."""

from __future__ import annotations

import hashlib
import logging
import threading
import time

import streamlit as st

from app.visitor_cookie import is_demo, new_token, token_in
from engine import scratches
from engine.errors import WorkbenchError
from engine.settings import import_settings
from engine.workspace import Workspace

SEEN_EVERY = 30.0  # s between notes that a visitor is there
HOUSE_EVERY = 60.0  # s between two looks for what nobody visits any more
_SCRATCH, _SEEN, _TOKEN, _CLEARED = "demo scratch", "demo seen", "demo token", "demo cleared"  # in the session
_log = logging.getLogger("distill-workbench")


def workspace() -> Workspace:
    """The scratch of this session's visitor, begun at the first visit and after it was cleared away.

    Raises BusyError if all places are taken, StorageError.
    """
    found: Workspace | None = st.session_state.get(_SCRATCH)
    now = time.monotonic()
    if found is None or not found.path.is_dir():
        st.session_state[_CLEARED] = found is not None
        found, _ = scratches.enter(_host(Workspace.from_environment()), _name())
        st.session_state[_SCRATCH], st.session_state[_SEEN] = found, now
    elif now - st.session_state[_SEEN] > SEEN_EVERY:
        scratches.visit(found)
        st.session_state[_SEEN] = now
    return found


def upload_megabytes(usual: int) -> int:
    """How much may be dropped at once: what is usual, or in a demo what its settings say."""
    return max(1, import_settings(workspace()).upload_bytes // 1_000_000) if is_demo() else usual


def was_cleared() -> bool:
    """Whether what the visitor had made was cleared away while the page stood open."""
    return bool(st.session_state.get(_CLEARED))


def is_known_again() -> bool:
    """Whether the browser keeps the cookie by which a reload finds the scratch again."""
    return token_in(st.context.cookies) is not None


def _name() -> str:
    """The name of the scratch: of a browser, and of who is signed in, if anybody is."""
    token = token_in(st.context.cookies) or st.session_state.setdefault(_TOKEN, new_token())
    user = str(st.user.get("sub") or st.user.get("email") or "")
    return hashlib.sha256(f"{token} {user}".encode()).hexdigest()[:24]


@st.cache_resource(show_spinner="Preparing the demo")
def _host(base: Workspace) -> Workspace:
    """The workspace that all visitors share, with all that comes with the program."""
    scratches.prepare(base)
    return base


def keep_house(base: Workspace) -> None:
    """Tidy up now, and from now on in a thread."""
    _tidy(base)
    threading.Thread(target=_keep_tidy, args=(base,), name="keeper of the demo", daemon=True).start()


def _keep_tidy(base: Workspace) -> None:
    while True:
        time.sleep(HOUSE_EVERY)
        _tidy(base)


def _tidy(base: Workspace) -> None:
    try:
        scratches.keep_house(base)
    except WorkbenchError as error:
        _log.warning("The demo could not be tidied up: %s", error)
    except Exception:  # whatever it is, the next look may fare better; a demo that is never tidied fills the disk
        _log.exception("The demo could not be tidied up")
