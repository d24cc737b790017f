"""What the environment says; the one module here that reads environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Folders of the Jupyter server's root, as paths of its contents API.
PROJECT = "project"
PRIVATE = "private"


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    """Which project this Jupyter server is for, and where its workspace answers.

    Parameters
    ----------
    service_url
        The workspace service, prefix included, without a slash at its end
        (``NB2PROD_SERVICE_URL``); empty where there is no workspace.
    token
        The server's own token, by which the service knows person and project
        (``JUPYTERHUB_API_TOKEN``).
    project
        Name of the project (``NB2PROD_PROJECT``).
    project_folder, private_folder
        Folder that the project's members share, and that of this person alone
        (``NB2PROD_PROJECT_FOLDER``, ``NB2PROD_PRIVATE_FOLDER``); `None` where there is none.
    public_url
        Scheme and host at which a browser finds the service's pages, where it is not the
        Jupyter server's own (``NB2PROD_PUBLIC_URL``), as with subdomains.
    timeout_s
        How long the service may take for an answer.
    """

    service_url: str = ""
    token: str = ""
    project: str = ""
    project_folder: Path | None = None
    private_folder: Path | None = None
    public_url: str = ""
    timeout_s: float = 30.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> LabSettings:
        """Read the settings from environment variables; see the class for their names."""
        env = os.environ if environment is None else environment
        return cls(
            service_url=env.get("NB2PROD_SERVICE_URL", "").rstrip("/"),
            token=env.get("JUPYTERHUB_API_TOKEN", ""),
            project=env.get("NB2PROD_PROJECT", ""),
            project_folder=_folder(env.get("NB2PROD_PROJECT_FOLDER")),
            private_folder=_folder(env.get("NB2PROD_PRIVATE_FOLDER")),
            public_url=env.get("NB2PROD_PUBLIC_URL", "").rstrip("/"),
        )

    @property
    def has_workspace(self) -> bool:
        """Whether this server belongs to a workspace at all."""
        return bool(self.service_url and self.project)


def _folder(text: str | None) -> Path | None:
    return Path(text) if text else None
