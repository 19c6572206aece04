"""How a demo knows a visitor again: by a cookie that this server alone reads.

A visitor's part must be found again after a reload, and a link that somebody shares must not hand it over. So the name
is in no address. It is a random number in a cookie that no script of a page can read, which Streamlit cannot set, so
that the server does so with the page itself. The folder of a visitor's scratch is named by a hash of it: who sees a
path, as in a message, does not know the cookie.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

SWITCH = "WORKBENCH_DEMO"  # "1": visitors have scratches of their own
COOKIE = "workbench_visitor"
LIVES = 86_400  # s; what it leads to is cleared away long before
_TOKEN = re.compile(r"[0-9a-f]{32}")


def is_demo(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this server is a demo."""
    return environment.get(SWITCH) == "1"


def token_in(cookies: Mapping[str, str]) -> str | None:
    """The visitor's number; None where there is none, or one that this server did not make."""
    found = cookies.get(COOKIE, "")
    return found if _TOKEN.fullmatch(found) else None


def new_token() -> str:
    """A number that nobody can guess."""
    return secrets.token_hex(16)


class VisitorCookie:
    """ASGI middleware that gives a browser that opens a page a number of its own. path: below which pages lie."""

    def __init__(self, app: Any, path: str = "") -> None:
        self.app, self.path = app, f"/{path.strip('/')}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not _opens_a_page(scope) or token_in(_cookies(scope)) is not None:
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"cache-control"]
                no_store = (b"cache-control", b"no-store")  # lest a proxy gives one visitor's cookie to others
                message = {**message, "headers": [*kept, no_store, (b"set-cookie", self._cookie(scope).encode())]}
            await send(message)

        await self.app(scope, receive, send_with_cookie)

    def _cookie(self, scope: Any) -> str:
        encrypted = scope.get("scheme") == "https" or _header(scope, b"x-forwarded-proto") == "https"
        secure = "; Secure" if encrypted else ""
        return f"{COOKIE}={new_token()}; Path={self.path}; Max-Age={LIVES}; HttpOnly; SameSite=Lax{secure}"


def _opens_a_page(scope: Any) -> bool:
    """Whether this is a browser that goes to a page, and no picture, script or check of the server's health."""
    return scope["method"] == "GET" and "text/html" in _header(scope, b"accept")


def _cookies(scope: Any) -> dict[str, str]:
    try:
        return {name: found.value for name, found in SimpleCookie(_header(scope, b"cookie")).items()}
    except CookieError:
        return {}


def _header(scope: Any, wanted: bytes) -> str:
    return "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)
