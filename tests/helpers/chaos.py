"""A storm over a running workspace: processes killed at random, and what must be left of it.

A seed decides who is killed and when, so that a storm can be had again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from nb2prod.execution.events import RunStarted
from nb2prod.execution.models import RunRecord, RunRequest, RunStatus
from nb2prod.execution.processes import processes_of
from nb2prod.execution.recorder import read_events, run_folder
from nb2prod.execution.runs import get_run, request_run
from nb2prod.knowledge.search import page_search
from nb2prod.registry.models import Retry, RunSettings, Version
from nb2prod.store.git import Repository
from nb2prod.store.schema import access_tokens, pages, runs
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.engine import REPOSITORY, Engine
from tests.helpers.hub import StartedHub, eventually
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, parameters

PERSON = "ada"
VICTIMS = ("dispatcher", "service", "hub", "supervisor")
ENGINE = "engine"
# `nb2prod up` gives up where its supervisor dies five times within a minute.
SUPERVISOR_PAUSE_S = 20.0
SETTLE_TIMEOUT_S = 600.0


def own_engine() -> int | None:
    """The Docker engine that ``scripts/engine.sh`` has started; `None` for somebody else's."""
    path = Path(os.environ.get("NB2PROD_ENGINE_PID") or "/run/nb2prod-dockerd.pid")
    try:
        pid = int(path.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name == "dockerd" else None


@dataclass(frozen=True)
class Fate:
    """A kind of run: what it does, and the only ends that are true of it.

    Parameters
    ----------
    ends
        Where nobody but the workspace's own processes is killed. The engine's death takes the
        containers along, and then a run may be `lost`, unless it is tried again.
    """

    name: str
    source: str
    ends: frozenset[RunStatus]
    is_cancelled: bool = False


FATES = (
    Fate("quick", "open('out.csv', 'w').write('a,b')", frozenset({RunStatus.SUCCEEDED})),
    Fate("slow", "import time; time.sleep(4)", frozenset({RunStatus.SUCCEEDED})),
    Fate("failing", "raise ValueError(number)", frozenset({RunStatus.FAILED})),
    Fate(
        "dying",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        frozenset({RunStatus.KERNEL_DIED}),
    ),
    Fate(
        "endless",
        "import time; time.sleep(3600)",
        frozenset({RunStatus.CANCELLED}),
        is_cancelled=True,
    ),
)


@dataclass
class Storm:
    """Runs that are asked for, and strikes at the workspace that brings them to their end.

    Parameters
    ----------
    may_strike_engine
        Whether the Docker engine is killed as well, and started again.
    """

    hub: StartedHub
    workspace: Workspace
    project: Project
    seed: int
    may_strike_engine: bool = False
    fates: dict[str, Fate] = field(default_factory=dict)
    strikes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._began = time.monotonic()
        self._supervisor_at = 0.0
        self._cancelled: set[str] = set()

    def ask(self, count: int) -> None:
        """Ask for so many runs, of all kinds in turn."""
        retry = Retry(limit=8, on=("lost",), delay_s=1.0)
        versions: dict[str, Version] = {
            fate.name: make_version(
                Repository(self.project.repository),
                parameters("number: int = 0"),
                code(fate.source),
                code("print('the end of', number)"),
                name=fate.name,
                settings=RunSettings(retry=retry),
            )
            for fate in FATES
        }
        for number in range(count):
            fate = FATES[number % len(FATES)]
            record = request_run(
                self.workspace,
                self.project,
                versions[fate.name],
                {"number": number},
                request=RunRequest(by=PERSON, via="api", executor=self.hub.plan.mode.value),
            )
            self.fates[record.id] = fate

    def rage(self) -> None:
        """Strike again and again until all runs have ended, or time is over."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S + 20 * len(self.fates)
        while self.open_runs():
            assert time.monotonic() < deadline, f"not ended: {self.report()}"
            self._strike()
            pause = self._random.uniform(0.3, 4.0)
            time.sleep(pause)
            self._cancel()

    def settle(self) -> None:
        """Wait until the workspace is whole again, and has tidied up."""
        self.hub.wait_until_whole()
        eventually(
            lambda: not list(self.leftovers()),
            what="the end of all that was left over",
            timeout_s=120,
        )

    def open_runs(self) -> list[str]:
        """Ids of the runs that have not ended."""
        query = select(runs.c.id).where(runs.c.record.is_(None))
        with self.workspace.database.read() as connection:
            return list(connection.scalars(query))

    def faults(self) -> Iterator[str]:
        """Say of each run what is not as it must be."""
        for run_id, fate in self.fates.items():
            record = get_run(self.workspace, run_id, person=PERSON)
            yield from (f"{fate.name} {run_id}: {fault}" for fault in self._faults(record, fate))
        yield from self._page_faults()

    def leftovers(self) -> Iterator[str]:
        """Name what should be gone: processes, containers, volumes, mounts, tokens."""
        for run_id in self.fates:
            for pid in processes_of(run_id):
                yield f"process {pid} of {run_id}"
        with self.workspace.database.read() as connection:
            purposes = connection.scalars(select(access_tokens.c.purpose))
            yield from (f"token {purpose}" for purpose in purposes if purpose.startswith("run:"))
        home = str(self.hub.home)
        for line in Path("/proc/mounts").read_text().splitlines():
            if home in line:
                yield f"mount {line}"
        if self.hub.mode == "docker":
            yield from self._engine_leftovers()

    def report(self) -> str:
        """Tell what was done and how the runs stand."""
        counts: Counter[str] = Counter()
        for run_id, fate in self.fates.items():
            record = get_run(self.workspace, run_id, person=PERSON)
            counts[f"{fate.name} {record.status.value} (attempts {len(record.attempts) + 1})"] += 1
        return f"seed {self.seed}; strikes: {', '.join(self.strikes)}; runs: {dict(counts)}"

    def _strike(self) -> None:
        victims = [*VICTIMS, ENGINE] if self.may_strike_engine else [*VICTIMS]
        victim = self._random.choice(victims)
        at = time.monotonic() - self._began
        if victim == ENGINE:
            self._strike_engine()
        elif victim != "supervisor" or at - self._supervisor_at > SUPERVISOR_PAUSE_S:
            pid = self.hub.pids().get(victim)
            if pid is None:
                return
            if victim == "supervisor":
                self._supervisor_at = at
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return
        else:
            return
        self.strikes.append(f"{victim} at {at:.1f}")

    def _strike_engine(self) -> None:
        pid = own_engine()
        assert pid is not None, "the engine is not there"
        os.kill(pid, signal.SIGKILL)
        time.sleep(self._random.uniform(0.0, 3.0))
        # The engine outlives the test: it must not be taken for a process of the test's workspace.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("NB2PROD_") or name.startswith("NB2PROD_ENGINE")
        }
        subprocess.run(
            [REPOSITORY / "scripts" / "engine.sh"],
            check=True,
            capture_output=True,
            timeout=120,
            env=environment,
        )

    def _cancel(self) -> None:
        """Ask for the end of one that would not end by itself."""
        from nb2prod.errors import RunEnded
        from nb2prod.jobs.cancel import cancel_run

        endless = [
            run_id
            for run_id, fate in self.fates.items()
            if fate.is_cancelled and run_id not in self._cancelled
        ]
        if not endless:
            return
        run_id = self._random.choice(endless)
        self._cancelled.add(run_id)
        try:
            cancel_run(self.workspace, self.project.name, run_id, person=PERSON)
        except RunEnded:
            pass

    def _faults(self, record: RunRecord, fate: Fate) -> Iterator[str]:
        if record.status not in fate.ends:
            yield f"ended {record.status.value}: {record.reason}"
        if record.status is RunStatus.SUCCEEDED:
            log = self.workspace.blobs.get(record.sources["log"]).decode()
            if log.count(f"the end of {record.parameters['number']}") != 1:
                yield "its end was not printed once"
        if fate.name == "quick" and [item.name for item in record.artifacts] != ["out.csv"]:
            yield f"its artifacts are {record.artifacts}"
        folder = run_folder(self.workspace, record.id)
        for log_file in folder.path.rglob("events.jsonl"):
            begun = sum(isinstance(event, RunStarted) for event in read_events(log_file))
            if begun > 1:
                yield f"it was begun {begun} times in one attempt"

    def _page_faults(self) -> Iterator[str]:
        ids = set(self.fates)
        with self.workspace.database.read() as connection:
            found = Counter(connection.scalars(select(pages.c.run_id)))
            indexed = Counter(connection.scalars(select(page_search.c.run_id)))
        for run_id in ids:
            if found[run_id] != 1 or indexed[run_id] != 1:
                yield f"{run_id} has {found[run_id]} pages, {indexed[run_id]} in the index"

    def _engine_leftovers(self) -> Iterator[str]:
        engine, instance = Engine(), self.hub.plan.instance
        label = f"label=nb2prod.instance={instance}"
        kind = "label=nb2prod.kind=run"
        listed = engine.say("ps", "--all", "--quiet", "--filter", label, "--filter", kind)
        yield from (f"container {name}" for name in listed.split())
        volumes = engine.say("volume", "ls", "--quiet", "--filter", label)
        yield from (f"volume {name}" for name in volumes.split())
