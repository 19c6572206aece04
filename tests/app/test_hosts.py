"""By which names the workbench answers: its own and those that were named, or a stranger's page could read it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.hosts import KnownHosts, known_hosts
from engine.errors import InvalidInputError
from engine.files import write_json
from engine.settings import checked_host_names, host_names

PLAIN = known_hosts("localhost", ())
NAMED = known_hosts("192.168.1.5", ("workbench.example.org", "[2001:db8::1]"))
ANYWHERE = known_hosts("0.0.0.0", ())


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8501", "LOCALHOST:1", "127.0.0.1:8501", "[::1]:8501", "localhost."]
)
def test_this_machine_s_own_names_are_known(host):
    assert PLAIN.allow(host, None)
    assert PLAIN.allow(host, f"http://{host}")


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8501",
        "localhost.evil.example",
        "evil.localhost",
        "192.168.1.5:8501",
        "user@localhost",
        "localhost:80:80",
        "localhost/evil.example",
        "localhost evil.example",
        "[::1",
        "0.0.0.0:8501",
        "\u0131ocalhost",
    ],
)
def test_every_other_name_is_refused(host):
    assert not PLAIN.allow(host, None)
    assert not PLAIN.allow(host, f"http://{host}")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://localhost:3000", "http://localhost", "x"]
)
def test_a_page_of_another_site_is_refused(origin):
    assert not PLAIN.allow("localhost:8501", origin)


def test_the_address_and_named_hosts_are_known_also_behind_a_proxy():
    assert NAMED.allow("192.168.1.5:8501", "http://192.168.1.5:8501")
    assert NAMED.allow("[2001:db8::1]:8501", None)
    assert NAMED.allow("workbench.example.org", "https://workbench.example.org")
    assert NAMED.allow("localhost:8501", "https://workbench.example.org")  # a proxy that names the host anew
    assert not NAMED.allow("other.example.org", None)


def test_on_every_network_any_number_is_known_and_no_name():
    assert ANYWHERE.allow("192.168.1.5:8501", "http://192.168.1.5:8501")
    assert not ANYWHERE.allow("192.168.1.5:8501", "http://192.168.1.6:8501")
    assert not ANYWHERE.allow("evil.example:8501", "http://evil.example:8501")


def test_hosts_are_a_setting_and_what_is_none_is_said(home):
    assert host_names(home) == ()
    write_json(home.path / "settings.json", {"serve": {"hosts": ["workbench.example.org"]}})
    assert host_names(home) == ("workbench.example.org",)
    for wrong in ({"serve": {"hosts": "x"}}, {"serve": []}, [], {"serve": {"hosts": [1]}}):
        write_json(home.path / "settings.json", wrong)
        with pytest.raises(InvalidInputError, match="hosts"):
            host_names(home)
    for wrong in ("https://x.org", "x.org:80", "*", "a b"):
        with pytest.raises(InvalidInputError, match="no name of a host"):
            checked_host_names([wrong])


def answers(kind, *headers):
    """What the middleware sends, and whether it let the request through."""
    sent, through = [], []

    async def app(scope, receive, send):
        through.append(scope["type"])

    async def send(message):
        sent.append(message)

    asked = KnownHosts(app, PLAIN)({"type": kind, "headers": list(headers)}, None, send)
    with ThreadPoolExecutor(1) as thread:  # in this one, a browser of other tests may keep its event loop running
        thread.submit(asyncio.run, asked).result()
    return bool(through), sent


def test_refused_requests_get_403_and_refused_websockets_are_closed():
    good, evil = (b"host", b"localhost:8501"), (b"host", b"evil.example")
    assert answers("http", good) == (True, [])
    assert answers("lifespan") == (True, [])
    through, sent = answers("http", evil)
    assert (through, sent[0]["status"]) == (False, 403)
    assert b"--host-name" in sent[1]["body"]
    for headers in ([evil], [good, evil], [good, (b"origin", b"http://evil.example")], []):
        through, sent = answers("websocket", *headers)
        assert (through, [message["type"] for message in sent]) == (False, ["websocket.close"])
