"""The running server, asked by hand: a page of a stranger that calls it by another name gets nothing from it."""

import http.client
from urllib.parse import urlsplit

import pytest


def status(server, path, **headers):
    """The status of a raw request that says nothing but what it is given."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value.replace("PORT", str(address.port)))
    connection.endheaders()
    found = connection.getresponse().status
    connection.close()
    return found


WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
STREAM = "/_stcore/stream"


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("localhost:PORT", "http://localhost:PORT", True),
        ("127.0.0.1:PORT", "http://127.0.0.1:PORT", True),
        ("[::1]:PORT", "http://[::1]:PORT", True),
        ("evil.example:PORT", "http://evil.example:PORT", False),
        ("localhost:PORT", "http://evil.example", False),
        ("localhost:PORT", "http://localhost:1", False),
    ],
)
def test_only_the_server_s_own_names_are_answered(server, host, origin, allowed):
    assert status(server, "/", Host=host, Origin=origin) == (200 if allowed else 403)
    assert status(server, "/_stcore/health", Host=host, Origin=origin) == (200 if allowed else 403)
    assert status(server, STREAM, Host=host, Origin=origin, **WEBSOCKET) == (101 if allowed else 403)
