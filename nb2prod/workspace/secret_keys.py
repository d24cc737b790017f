"""The keys that a workspace's secrets are encrypted with: a file beside the database, not in it.

``secrets.key`` in the workspace's home has one key a line, 32 bytes in base64. The first one
encrypts; all of them decrypt, so that a key can be replaced (`nb2prod.workspace.secrets.rotate`).
A value is sealed by AES-256-GCM (NIST SP 800-38D) together with the place that it is kept for:
moved to another name or project, it does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nb2prod.errors import StorageUnusable, ToolMissing, storage_error

KEY_FILE = "secrets.key"
KEY_BYTES = 32
# SP 800-38D, 8.2.2: random, for at most 2^32 values under one key.
NONCE_BYTES = 12
_FORMAT = b"\x01"


class KeysWrong(Exception):
    """A sealed value opens with none of the keys, or is kept in another place than its own."""


def seal(keys: Sequence[bytes], value: bytes, place: bytes) -> bytes:
    """Encrypt a value for a place with the first key."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    content: bytes = _cipher(keys[0]).encrypt(nonce, value, place)
    return _FORMAT + nonce + content


def unseal(keys: Sequence[bytes], sealed: bytes, place: bytes) -> bytes:
    """Decrypt what `seal` has made for this place; raises `KeysWrong`."""
    from cryptography.exceptions import InvalidTag

    start = len(_FORMAT)
    nonce, rest = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
    if sealed[:start] == _FORMAT and len(nonce) == NONCE_BYTES:
        for key in keys:
            try:
                content: bytes = _cipher(key).decrypt(nonce, rest, place)
            except InvalidTag:
                continue
            return content
    raise KeysWrong


def new_key() -> bytes:
    """Return a new key."""
    return secrets.token_bytes(KEY_BYTES)


def key_file(home: Path) -> Path:
    """Return the file of a workspace's keys."""
    return home / KEY_FILE


def read_keys(home: Path) -> tuple[bytes, ...]:
    """Return the keys, that for new values first; none where there is no file.

    Raises
    ------
    StorageUnusable
        The file can't be read, is readable by others, or holds no keys.
    """
    file = key_file(home)
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            lines = stream.read().split()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StorageUnusable(f"{file} can't be read: {error.strerror or error}.") from error
    if mode & 0o077:
        raise StorageUnusable(
            f"{file} can be read by other accounts; secrets are not safe there. Run"
            f" `chmod 600 {file}`, and `nb2prod secret rotate` if somebody may have read it."
        )
    try:
        keys = tuple(base64.b64decode(line, validate=True) for line in lines)
    except binascii.Error:
        keys = ()
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise StorageUnusable(
            f"{file} holds no keys: each line is one, {KEY_BYTES} bytes in base64. Put it back from"
            " a backup; without it no secret can be read."
        )
    return keys


def ensure_keys(home: Path) -> tuple[bytes, ...]:
    """Return the keys, with a new one where there are none; also where several ask at once.

    Raises
    ------
    StorageFull, StorageUnusable
        The file can't be read or written.
    """
    found = read_keys(home)
    if not found:
        # Whole or not at all, and never in place of one that another process has just made.
        _write(home, [new_key()], is_new=True)
        found = read_keys(home)
    return found


def write_keys(home: Path, keys: Sequence[bytes]) -> None:
    """Put keys in place of those that are there; raises `StorageFull`, `StorageUnusable`."""
    _write(home, keys, is_new=False)


def _write(home: Path, keys: Sequence[bytes], *, is_new: bool) -> None:
    file = key_file(home)
    partial = home / f".{KEY_FILE}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(base64.b64encode(key) + b"\n" for key in keys)
            stream.flush()
            os.fsync(stream.fileno())
        if is_new:
            try:
                os.link(partial, file)
            except FileExistsError:
                return
        else:
            partial.replace(file)
    except OSError as error:
        raise storage_error(file, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise ToolMissing(
            "Secrets need the package cryptography: `pip install 'nb2prod[secrets]'`."
        ) from error
    return AESGCM(key)
