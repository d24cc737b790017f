"""What the environment says; the one module that reads environment variables."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nb2prod.errors import SettingInvalid

DEFAULT_PORT = 8000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a workspace lives, and for whom it works.

    Parameters
    ----------
    home
        Folder of everything that a workspace keeps (``NB2PROD_HOME``; by default the
        platform's folder for user data, so that every repository shows in one gallery).
    database_url
        SQLAlchemy URL (``NB2PROD_DATABASE_URL``; by default SQLite in ``home``).
    blob_url
        fsspec URL of the folder for content-addressed blobs (``NB2PROD_BLOB_URL``).
    mlflow_uri
        MLflow tracking store (``NB2PROD_MLFLOW_URI``; by default SQLite in ``home``).
    person
        Who acts (``NB2PROD_USER``; by default the system's account name).
    port
        Port of the gallery on the loopback address (``NB2PROD_PORT``).
    """

    home: Path
    database_url: str
    blob_url: str
    mlflow_uri: str
    person: str
    port: int = DEFAULT_PORT

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables; see the class for their names.

        Raises
        ------
        SettingInvalid
            The port is no number from 0 to 65535.
        """
        env = os.environ if environment is None else environment
        home = Path(env["NB2PROD_HOME"]) if env.get("NB2PROD_HOME") else _default_home()
        home = home.expanduser().absolute()
        return cls(
            home=home,
            database_url=env.get("NB2PROD_DATABASE_URL") or f"sqlite:///{home / 'nb2prod.db'}",
            blob_url=env.get("NB2PROD_BLOB_URL") or str(home / "blobs"),
            mlflow_uri=env.get("NB2PROD_MLFLOW_URI") or f"sqlite:///{home / 'mlflow.db'}",
            person=env.get("NB2PROD_USER") or getpass.getuser(),
            port=_read_port(env.get("NB2PROD_PORT") or str(DEFAULT_PORT)),
        )

    @property
    def runs_folder(self) -> Path:
        """Folder of the event logs of runs."""
        return self.home / "runs"


def _read_port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise SettingInvalid(f"NB2PROD_PORT is {text!r}; it must be a number from 0 to 65535.")
    return int(text)


def _default_home() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("nb2prod", appauthor=False))
