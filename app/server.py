"""The server of the web app, as `python -m engine serve` starts it. It sees a request's Host before Streamlit does."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.middleware import Middleware
from streamlit import config
from streamlit.starlette import App

from app import thumbnails
from app.hosts import KnownHosts, known_hosts
from app.resumption import resumption
from app.visitor_cookie import VisitorCookie, is_demo
from engine.settings import checked_host_names, host_names
from engine.workspace import Workspace

further = (
    *host_names(Workspace.from_environment()),
    *checked_host_names(os.environ.get("WORKBENCH_HOSTS", "").split(",")),
)
hosts = known_hosts(config.get_option("server.address") or "", further)
middleware = [Middleware(KnownHosts, hosts=hosts)]
base = config.get_option("server.baseUrlPath") or ""
if is_demo():
    middleware.append(Middleware(VisitorCookie, path=base))
app = App(
    Path(__file__).with_name("main.py"), routes=[thumbnails.route(base)], lifespan=resumption, middleware=middleware
)
