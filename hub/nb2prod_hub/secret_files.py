"""The workspace's own secrets: one file each, which only its account can read.

They are made at the first start and kept. No secret is in a configuration file, a command line
or the environment of a process that does not need it.
"""

from __future__ import annotations

import os
import secrets
from enum import StrEnum
from pathlib import Path

from nb2prod.errors import StorageUnusable, storage_error
from nb2prod_hub.plan import HUB_FOLDER

SECRETS_FOLDER = "secrets"
_BYTES = 32


class Secret(StrEnum):
    """A secret, by the name of its file."""

    # 32 bytes as 64 hexadecimal digits, as JupyterHub wants it.
    COOKIE = "cookie_secret"
    PROXY = "proxy_token"
    SERVICE = "service_token"
    MLFLOW = "mlflow_token"
    # Removed once the first administrator has chosen another one.
    ADMINISTRATOR_PASSWORD = "administrator_password"  # noqa: S105 (a file's name)


ALWAYS_THERE = (Secret.COOKIE, Secret.PROXY, Secret.SERVICE, Secret.MLFLOW)


def make_secrets(home: Path) -> None:
    """Make the secrets that are missing, all but the administrator's password."""
    for secret in ALWAYS_THERE:
        _make(home, secret, secrets.token_hex(_BYTES))


def make_administrator_password(home: Path) -> None:
    """Make the first administrator's password, where there is none yet."""
    _make(home, Secret.ADMINISTRATOR_PASSWORD, secrets.token_urlsafe(12))


def read_secret(home: Path, secret: Secret) -> str:
    """Return a secret.

    Raises
    ------
    StorageUnusable
        It is missing, empty or can't be read.
    """
    found = find_secret(home, secret)
    if not found:
        raise StorageUnusable(f"{_file(home, secret)} is missing. Start with `nb2prod up`.")
    return found


def find_secret(home: Path, secret: Secret) -> str | None:
    """Return a secret; `None` if there is no such file."""
    file = _file(home, secret)
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(file, error) from error


def forget_secret(home: Path, secret: Secret) -> None:
    """Remove a secret that may or may not be there."""
    _file(home, secret).unlink(missing_ok=True)


def _file(home: Path, secret: Secret) -> Path:
    return home / HUB_FOLDER / SECRETS_FOLDER / secret.value


def _make(home: Path, secret: Secret, value: str) -> None:
    file = _file(home, secret)
    if file.exists():
        return
    # Whole or not at all: half a secret would be kept for ever.
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(value + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError as error:
        raise storage_error(file, error) from error
