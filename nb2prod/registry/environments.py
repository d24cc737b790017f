"""The environments of container images, as somebody who could look into them has stored them.

Only who speaks to the engine can start a container; the service that promotes can't. So what an
image has installed is looked up once, by its id, and kept in the workspace's folder.
"""

from __future__ import annotations

import fcntl
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nb2prod.errors import ImageMissing, InvalidInput, KernelUnavailable, storage_error
from nb2prod.registry.lock import ObservedEnvironment, parse_observation

ENVIRONMENTS_FOLDER = "environments"
IMAGES_FILE = "images.json"
# Every image has this kernel, in /opt/kernel, and no other.
IMAGE_KERNEL = "python3"

_ID = re.compile(r"(sha256:)?(?P<digits>[0-9a-f]{64})\Z")


def store_environment(home: Path, image: str, image_id: str, text: str) -> ObservedEnvironment:
    """Keep what an image has installed; safe to call from several processes.

    Parameters
    ----------
    home
        The workspace's folder.
    image
        Name of the image, with its tag.
    image_id
        As the engine has it: 64 hexadecimal digits, with or without ``sha256:``.
    text
        What `nb2prod.registry.lock.OBSERVE_PROGRAM` has printed in it.

    Raises
    ------
    InvalidInput
        The id is none.
    KernelUnavailable
        The text is no observation.
    StorageFull, StorageUnusable
        It can't be written.
    """
    digits = _digits(image_id)
    observed = parse_observation(text)
    folder = home / ENVIRONMENTS_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(folder):
            _write(folder / f"{digits}.json", text)
            _write(
                folder / IMAGES_FILE,
                json.dumps({**_read_images(folder), image: digits}, indent=1, sort_keys=True),
            )
    except OSError as error:
        raise storage_error(folder, error) from error
    return observed


def environment_of_image(
    home: Path, image: str, kernel_name: str = IMAGE_KERNEL
) -> ObservedEnvironment:
    """Return what an image has installed.

    Parameters
    ----------
    home
        The workspace's folder.
    kernel_name
        The kernel that a notebook wants.

    Raises
    ------
    ImageMissing
        Nobody has looked into an image of this name yet.
    KernelUnavailable
        Images have no kernel of this name, or what is stored can't be read.
    """
    if kernel_name != IMAGE_KERNEL:
        raise KernelUnavailable(
            f"The notebook wants the kernel {kernel_name!r}, and the project's image has only"
            f" {IMAGE_KERNEL!r}, for Python. Choose that one in the notebook, and save it. In"
            " another language a notebook runs where its kernel is installed: in a workspace"
            " without containers (`nb2prod up --mode process`), or by `nb2prod promote` and"
            " `nb2prod run` in a repository."
        )
    folder = home / ENVIRONMENTS_FOLDER
    digits = _read_images(folder).get(image)
    try:
        text = None if digits is None else (folder / f"{_digits(digits)}.json").read_text("utf-8")
    except FileNotFoundError:
        text = None
    except (OSError, InvalidInput, ValueError) as error:
        raise KernelUnavailable(f"What {image} has installed can't be read: {error}.") from error
    if text is None:
        raise ImageMissing(
            f"What the image {image} has installed is not known yet. Build or pull it, then start"
            " the workspace again."
        )
    return parse_observation(text)


def _digits(image_id: str) -> str:
    match = _ID.match(image_id)
    if match is None:
        raise InvalidInput(f"{image_id[:80]!r} is no id of an image: 64 hexadecimal digits.")
    return match["digits"]


def _read_images(folder: Path) -> dict[str, str]:
    try:
        said = json.loads((folder / IMAGES_FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise KernelUnavailable(f"{folder / IMAGES_FILE} can't be read: {error}.") from error
    if not isinstance(said, dict):
        raise KernelUnavailable(f"{folder / IMAGES_FILE} is no table of images; delete it.")
    return {str(image): str(digits) for image, digits in said.items()}


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
