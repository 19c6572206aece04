"""The server of the web app: `streamlit run app/server.py`. It looks at a request's Host before Streamlit does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from starlette.middleware import Middleware
from streamlit import config
from streamlit.starlette import App

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # Streamlit puts the folder of this file there, not the project's
    sys.path.insert(0, str(ROOT))

from app.hosts import KnownHosts, known_hosts  # noqa: E402 - needs the project's folder on the path
from engine.settings import checked_host_names, host_names  # noqa: E402 - the same

further = (*host_names(), *checked_host_names(os.environ.get("WORKBENCH_HOSTS", "").split(",")))
hosts = known_hosts(config.get_option("server.address") or "", further)
app = App(ROOT / "app" / "main.py", middleware=[Middleware(KnownHosts, hosts=hosts)])
