"""The dispatcher's process: ``python -m nb2prod_hub.dispatcher``, run by the supervisor.

With the hub, it is the only process that speaks to the Docker engine.
"""

from __future__ import annotations

import logging
import signal
import threading

from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.executors import open_executor
from nb2prod.settings import Settings
from nb2prod.workspace.workspace import open_workspace
from nb2prod_hub.plan import read_plan

log = logging.getLogger(__name__)


def main() -> None:
    """Dispatch runs until SIGTERM; the runs themselves go on."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = Settings.from_environment()
    plan = read_plan(settings.home)
    with (
        open_workspace(settings) as workspace,
        open_executor(plan.mode.value, workspace, plan.surroundings) as executor,
    ):
        log.info("Dispatching mode=%s home=%s", plan.mode, plan.home)
        Dispatcher(workspace, [executor], mlflow_url=plan.mlflow_url).run_forever(stop)


if __name__ == "__main__":
    main()
