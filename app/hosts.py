"""Which names a browser may call the workbench by.

A page of somebody else whose own name suddenly leads to this machine (DNS rebinding) would be let in by a server that
does not look: the browser thinks that both are one site. So a request is answered only if it calls the server by a name
that it is known to have, and comes from a page of the same site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

LOCAL = ("localhost", "127.0.0.1", "::1")
ANYWHERE = ("", "0.0.0.0", "::")  # addresses on which a server listens on all of its networks


@dataclass(frozen=True)
class Hosts:
    """The names of this server, in small letters and without a port; an IPv6 address without brackets."""

    names: frozenset[str]
    any_address: bool  # whether numbers do too: a page can make its own name lead elsewhere, but not a number

    def allow(self, host: str | None, origin: str | None) -> bool:
        """Whether to answer a request with these headers Host and Origin."""
        called = _split(f"//{host}") if host else None
        if called is None or not self._knows(called.hostname or ""):
            return False
        if origin is None:  # not sent with plain navigation
            return True
        page = _split(origin)
        if page is None:
            return False
        return page.netloc.lower() == called.netloc.lower() or (page.hostname or "").rstrip(".") in self._named

    @property
    def _named(self) -> frozenset[str]:
        """Without this machine's own names, under which other programs may show pages on other ports."""
        return self.names.difference(LOCAL)

    def _knows(self, name: str) -> bool:
        name = name.rstrip(".")
        return name in self.names or (self.any_address and _is_address(name))


def known_hosts(address: str, further: Iterable[str]) -> Hosts:
    """The names of a server that listens on `address`; `further` ones are what a proxy or a container is called by."""
    names = {name.strip().strip("[]").rstrip(".").lower() for name in (*LOCAL, address, *further)}
    return Hosts(frozenset(names.difference(ANYWHERE)), any_address=address in ANYWHERE)


class KnownHosts:
    """ASGI middleware that refuses what `hosts` does not allow: 403, or a websocket that is closed before it opens."""

    def __init__(self, app: Any, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        host, origin = (_only(scope, name) for name in (b"host", b"origin"))
        if host != "" and origin != "" and self.hosts.allow(host, origin):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSED.encode()})


REFUSED = (
    "This workbench is not known by the name in the address bar. Open it as http://localhost, or let whoever runs it "
    "name the host: `python -m engine serve --host-name NAME`, or WORKBENCH_HOSTS=NAME, or "
    '{"serve": {"hosts": ["NAME"]}} in settings.json of the workspace.\n'
)


def _only(scope: Any, wanted: bytes) -> str | None:
    """The value of a header; None if it is not there, empty if it is there twice."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
    return values[0] if len(values) == 1 else "" if values else None


def _split(url: str) -> SplitResult | None:
    """The parts of an address; None for what is none, or holds a user's name."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # refuses what is no number
    except ValueError:
        return None
    return None if parts.username is not None or not parts.hostname or parts.path or parts.query else parts


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
