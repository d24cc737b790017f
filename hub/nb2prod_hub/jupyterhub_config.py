"""JupyterHub's configuration file, as the supervisor names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nb2prod_hub.hub_configuration import configure

if TYPE_CHECKING:
    # traitlets gives both to this file.

    def get_config() -> Any:
        """Return the configuration that is to be filled."""

    def load_subconfig(name: str) -> None:
        """Load another file into it."""


# Where it is imported like any module, as by a tool for documentation, it does nothing.
if "get_config" in globals():
    _own = configure(get_config())
    if _own is not None:
        load_subconfig(str(_own))
