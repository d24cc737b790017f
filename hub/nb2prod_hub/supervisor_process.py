"""The supervisor as a child of ``nb2prod up``: started, watched, started again, stopped."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from pathlib import Path

from nb2prod.errors import ServiceUnreachable, storage_error
from nb2prod_hub.plan import Plan
from nb2prod_hub.server_logs import last_lines, read_end
from nb2prod_hub.supervision import (
    CONFIG_FILE,
    SUPERVISOR_LOG,
    supervisor_command,
    supervisor_config,
)

log = logging.getLogger(__name__)

# Together longer than its processes may take, one after the other.
STOP_TIMEOUT_S = 90
KILL_TIMEOUT_S = 10
# So many sudden ends within this time are no accident.
MANY_ENDS = 5
WITHIN_S = 60.0
# Left over from a terminal inside some other hub, they would mislead ours.
FOREIGN = ("JUPYTERHUB_", "JPY_", "CONFIGPROXY_")


class SupervisorProcess:
    """The workspace's supervisor.

    It has a session of its own, so that a Ctrl-C in the terminal reaches only its parent, which
    then ends it in good order. Use from one thread: it dies with the one that started it.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._ends: list[float] = []

    def start(self) -> None:
        """Write the configuration, and start it."""
        config = self._write_config()
        output = self._plan.logs / "supervisor-output.log"
        with output.open("wb") as stream:
            self._process = subprocess.Popen(
                supervisor_command(config),
                env=self._environment(),
                cwd=self._plan.folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def keep_alive(self) -> None:
        """Start it again if it died.

        Raises
        ------
        ServiceUnreachable
            It dies again and again.
        """
        if self._process is None or self._process.poll() is None:
            return
        now = time.monotonic()
        self._ends = [at for at in self._ends if now - at < WITHIN_S] + [now]
        if len(self._ends) >= MANY_ENDS:
            said = last_lines(
                read_end(self._plan.logs / SUPERVISOR_LOG)
                + read_end(self._plan.logs / "supervisor-output.log")
            )
            raise ServiceUnreachable(f"The supervisor dies again and again:\n{said}")
        log.warning("The supervisor died status=%s; starting it again", self._process.returncode)
        self.start()

    def stop(self) -> None:
        """End it and its processes in good order, the last started first; then by force."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=STOP_TIMEOUT_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait(timeout=KILL_TIMEOUT_S)

    def _write_config(self) -> Path:
        file = self._plan.folder / CONFIG_FILE
        try:
            self._plan.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.unlink(missing_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                stream.write(supervisor_config(self._plan))
        except OSError as error:
            raise storage_error(file, error) from error
        return file

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {**own, "NB2PROD_HOME": str(self._plan.home), "PYTHONUNBUFFERED": "1"}
