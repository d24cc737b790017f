"""Addresses beyond the gallery: the hub's, and MLflow's. Pure functions."""

from __future__ import annotations

from urllib.parse import quote, urlencode

HUB = "/hub"
MLFLOW = "/services/mlflow/"
SIGN_IN = f"{HUB}/login"
SIGN_OUT = f"{HUB}/logout"
TOKENS = f"{HUB}/token"
ADMINISTRATION = f"{HUB}/admin"

# As JupyterHub writes a person's name into the path of the person's servers (`User.escaped_name`).
_KEPT_IN_NAMES = "@~"


def open_project(person: str, project: str) -> str:
    """Return where a person's server for a project is started, if needed, and opened.

    >>> open_project("ada l", "seat-demand")
    '/hub/spawn/ada%20l/seat-demand'
    """
    return f"{HUB}/spawn/{_escaped(person)}/{_escaped(project)}"


def open_version(person: str, project: str, pipeline: str, version: int) -> str:
    """Return where a copy of a version is opened in the person's private folder.

    >>> open_version("ada", "seats", "train", 3).partition("?")[2]
    'next=%2Fuser%2Fada%2Fseats%2Fnb2prod%2Fopen%3Fpipeline%3Dtrain%26version%3D3'
    """
    query = urlencode({"pipeline": pipeline, "version": version})
    target = f"/user/{_escaped(person)}/{_escaped(project)}/nb2prod/open?{query}"
    return f"{open_project(person, project)}?{urlencode({'next': target})}"


def _escaped(name: str) -> str:
    return quote(name, safe=_KEPT_IN_NAMES)
