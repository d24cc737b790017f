"""A dispatcher alone, with the executor ``process`` and no hub: ``python -m bench.dispatcher``.

It is what `nb2prod_hub.dispatcher` is, without a plan. Its workspace is ``NB2PROD_HOME``'s.
"""

from __future__ import annotations

import logging
import signal
import threading

from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.executors import open_executor
from nb2prod.settings import Settings
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.jobs import surroundings_of


def main() -> None:
    """Dispatch runs until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with (
        open_workspace(Settings.from_environment()) as workspace,
        open_executor("process", workspace, surroundings_of(workspace)) as executor,
    ):
        Dispatcher(workspace, [executor]).run_forever(stop)


if __name__ == "__main__":
    main()
