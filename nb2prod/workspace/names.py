"""Rules for what people call a project, its title and its image."""

from __future__ import annotations

import re
import unicodedata

from nb2prod.errors import NameInvalid

# JupyterHub 6's rule for server names, since a project is a person's named server there.
PROJECT_NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,28}[a-z0-9])?\Z")
PROJECT_NAME_LENGTH = 30
TITLE_LENGTH = 200

# A name as an engine writes it: registry, path, tag, digest; 255 characters at most.
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}\Z")


def check_project_name(name: str) -> str:
    """Return the name if it is one for a project; else raise `NameInvalid`."""
    if not PROJECT_NAME.match(name):
        raise NameInvalid(
            f"{name!r} is no name for a project: use 1 to 30 of a–z, 0–9 and single hyphens,"
            " beginning with a letter and not ending with a hyphen."
        )
    return name


def check_title(title: str) -> str:
    """Return a project's title if it is one line of text; else raise `NameInvalid`."""
    if len(title) > TITLE_LENGTH or not title.isprintable():
        raise NameInvalid(f"A project's title is one line of at most {TITLE_LENGTH} characters.")
    return title


def check_image(image: str) -> str:
    """Return the name if it can be one of a container image; else raise `NameInvalid`."""
    if not _IMAGE.match(image):
        raise NameInvalid(
            f"{image[:60]!r} is no name of a container image; write one as `docker images` does,"
            " such as nb2prod/base:0.1."
        )
    return image


def free_project_name(folder: str, taken: set[str]) -> str:
    """Return a project's name after a folder's, which no other project has.

    >>> free_project_name("Seat Demand", {"seat-demand"})
    'seat-demand-2'
    """
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").lstrip("0123456789-") or "project"
    base = base[:PROJECT_NAME_LENGTH].rstrip("-")
    name, number = base, 2
    while name in taken:
        suffix = f"-{number}"
        name = base[: PROJECT_NAME_LENGTH - len(suffix)].rstrip("-") + suffix
        number += 1
    return name
