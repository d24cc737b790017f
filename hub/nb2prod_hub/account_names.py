"""Names of accounts that people make themselves."""

from __future__ import annotations

import re

from nb2prod.errors import SettingInvalid

# Lower case, since the hub makes it so; no space, comma or slash, since the hub's API and the
# addresses of servers carry it.
ACCOUNT_NAME = r"[a-z0-9][a-z0-9._@+-]{0,62}"


def account_name(person: str) -> str:
    """Return the name that a person of this machine has in the hub.

    Raises
    ------
    SettingInvalid
        It can't have one.

    >>> account_name("Ada")
    'ada'
    """
    name = person.lower()
    if re.fullmatch(ACCOUNT_NAME, name) is None:
        raise SettingInvalid(
            f"{person!r} can't be the administrator's name: set NB2PROD_USER to one of 1 to 63 of"
            " a–z, 0–9 and . _ @ + -, beginning with a letter or digit."
        )
    return name
