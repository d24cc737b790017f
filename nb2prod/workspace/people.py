"""Who asks, and how a person is named in paths."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from nb2prod.errors import NameInvalid
from nb2prod.store.git import Author

PERSON_NAME_LENGTH = 255

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
# What this module itself puts at the end of a name; a person may not take another's folder.
_DIGEST_LENGTH = 20
_DIGEST = re.compile(rf"-[0-9a-f]{{{_DIGEST_LENGTH}}}\Z")
_FIRST_CHARACTERS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who asks.

    Parameters
    ----------
    person
        The person's name, as the hub has it.
    is_administrator
        May list all projects and change their members; sees nothing else of a project that
        the person is no member of.
    project
        The one project that this identity speaks for: that of a server's or a run's token.
        `None` for a person in a browser.
    """

    person: str
    is_administrator: bool = False
    project: str | None = None


def folder_name(person: str) -> str:
    """Return a person's name as the name of a folder, a container or a label.

    Different people have different ones, also on file systems that don't tell ``A`` from ``a``.

    >>> folder_name("ada")
    'ada'
    >>> folder_name("Ada Lovelace")
    'ada-lovelace-76740216171591903cdb'
    """
    if _PLAIN.match(person) and ".." not in person and not _DIGEST.search(person):
        return person
    plain = re.sub(r"[^a-z0-9]+", "-", person.lower()).strip("-")[:_FIRST_CHARACTERS]
    digest = hashlib.sha256(person.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return f"{plain}-{digest}" if plain else f"person-{digest}"


def check_person_name(name: str) -> str:
    """Return the name if it is one that the hub gives to people; else raise `NameInvalid`.

    It has 1 to 255 characters, all of them printable, no slash, and no space at its ends.
    """
    is_long = len(name) > PERSON_NAME_LENGTH
    if not name or is_long or "/" in name or name != name.strip() or not name.isprintable():
        raise NameInvalid(
            f"{name[:40]!r} is no name of a person: use the name that the person logs in with, of"
            f" 1 to {PERSON_NAME_LENGTH} characters without slashes."
        )
    return name


def author_of(person: str) -> Author:
    """Return a person as the author of commits, under an address where nobody gets mail.

    ``.invalid`` is kept free of real addresses by RFC 2606.

    >>> author_of("ada")
    Author(name='ada', email='ada@nb2prod.invalid')
    """
    return Author(name=person, email=f"{folder_name(person)}@nb2prod.invalid")
