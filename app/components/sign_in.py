"""Sign-in, where it is wanted: Streamlit's OpenID Connect, switched on by a section [auth] in secrets.toml."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import streamlit as st

from app.components.escaping import escape


def required() -> None:
    """Let nobody see a page who has not signed in, if sign-in is switched on. Without secrets.toml everybody may.

    A secrets.toml that cannot be read lets nobody in: a slip of the pen must not open a workbench to the world.
    """
    try:
        wanted = "auth" in st.secrets
    except Exception:  # there is none, or something is wrong with it
        if _is_there():
            st.error("Nobody can sign in, because secrets.toml cannot be read: mend it, then load this page again.")
            st.stop()
        return
    if wanted:
        _ask()


def sidebar() -> None:
    """Who is signed in, and the way out."""
    if _has_auth() and st.user.get("is_logged_in"):
        name = str(st.user.get("email") or st.user.get("name") or "somebody")
        st.sidebar.caption(f"Signed in as {escape(name)}")
        st.sidebar.button("Sign out", icon=":material/logout:", on_click=st.logout)


def _is_there() -> bool:
    return any(Path(path).exists() for path in st.config.get_option("secrets.files"))


def _has_auth() -> bool:
    try:
        return "auth" in st.secrets
    except Exception:  # there is no secrets.toml
        return False


def _ask() -> None:
    if importlib.util.find_spec("authlib") is None:
        st.error("Signing in needs the package Authlib on this server: pip install 'Authlib>=1.3.2'.")
        st.stop()
    if not st.user.get("is_logged_in"):
        st.title("Distill Workbench", anchor=False)
        st.markdown("This workbench is for people who are known to it.")
        st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
        st.stop()
