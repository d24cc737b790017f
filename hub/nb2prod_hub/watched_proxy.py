"""The proxy as the hub sees it: started by the supervisor, and without routes when it was killed.

JupyterHub looks at the routes of a proxy that it did not start once in five minutes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientError
from jupyterhub.proxy import ConfigurableHTTPProxy
from traitlets import Float


class WatchedProxy(ConfigurableHTTPProxy):  # type: ignore[misc]  # it has no types
    """A proxy that gets its routes back within a second or two of a new start."""

    watch_interval = Float(
        1.0, config=True, help="Seconds between two looks at whether the proxy has its routes."
    )

    _watch: asyncio.Task[None] | None = None

    async def check_routes(self, *arguments: Any, **keywords: Any) -> None:
        """Bring the routes up to date; from the first time on, watch them."""
        await super().check_routes(*arguments, **keywords)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_routes())

    async def _watch_routes(self) -> None:
        while True:
            await asyncio.sleep(self.watch_interval)
            try:
                if self.app.hub.routespec not in await self.get_all_routes():
                    await self.restore_routes()
            # What is not there yet is tried again.
            except (ClientError, TimeoutError, OSError) as error:
                self.log.warning("The proxy can't be looked at: %s", error)
            except Exception:
                self.log.exception("The proxy's routes can't be restored")
