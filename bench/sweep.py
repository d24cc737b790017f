"""A sweep of smoke runs of the demo: through the dispatcher, papermill, jupyter-scheduler."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.ours import PERSON, Ours
from bench.peers import KERNEL, Papermill
from bench.scheduler import JupyterScheduler
from nb2prod.cli.example import install_example_files, promote_example
from nb2prod.execution.models import Profile, RunRecord, RunRequest
from nb2prod.execution.runs import full_values, request_run
from nb2prod.jobs.sweeps import SweepAsked, create_sweep
from nb2prod.registry.lock import observe_environment
from nb2prod.registry.models import Version
from nb2prod.store.schema import runs
from nb2prod.workspace.tokens import issue_token
from tests.helpers.engine import REPOSITORY

EXAMPLE = REPOSITORY / "docs" / "examples" / "seat-demand"
NOTEBOOK = "train"
HORIZONS = (7, 14)
TOKEN_LIFE = timedelta(hours=12)

# What the notebook concludes, by market and horizon: the runs of one must say what another's do.
Conclusions = dict[tuple[str, int], str]
Contender = Callable[[], Conclusions]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The demo in a project, and what a sweep goes through.

    Parameters
    ----------
    values
        All parameters of each run, in the order in which runs are asked for: a market's second run
        comes after all others', as both write the same files.
    """

    ours: Ours
    version: Version
    values: tuple[Mapping[str, Any], ...]

    @classmethod
    def found(cls, ours: Ours, *, count: int) -> Demo:
        """Put the demo into a project, with its data, and promote it."""
        install_example_files(ours.workspace, EXAMPLE, ours.project)
        promoted = promote_example(
            EXAMPLE, ours.project, person=PERSON, environment=observe_environment
        )
        (version,) = [item for item in promoted if item.pipeline == NOTEBOOK]
        places = itertools.product(HORIZONS, _markets(ours.project.root))
        values = tuple(
            full_values(version, {"market": market, "horizon": horizon}, Profile.SMOKE)
            for horizon, market in itertools.islice(places, count)
        )
        return cls(ours=ours, version=version, values=values)

    @property
    def tracking(self) -> dict[str, str]:
        """The environment in which others log to the MLflow server that ours log to."""
        token = issue_token(
            self.ours.workspace,
            person=PERSON,
            project=self.ours.project,
            purpose="bench",
            ttl=TOKEN_LIFE,
        )
        return {
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_WORKSPACE": self.ours.project.name,
            # A project's part of the server has no experiment that is there without a name.
            "MLFLOW_EXPERIMENT_NAME": NOTEBOOK,
        }

    def copy(self, folder: Path) -> Path:
        """Copy the project for somebody else; returns the notebook, with the kernel of all."""
        shutil.copytree(self.ours.project.root, folder)
        path = folder / f"{NOTEBOOK}.ipynb"
        content = json.loads(path.read_text())
        content["metadata"] |= KERNEL
        path.write_text(json.dumps(content))
        return path

    def first_run(self) -> RunRecord:
        """Run it once, which fills the machine's caches; returns the run."""
        record = request_run(
            self.ours.workspace, self.ours.project, self.version, {}, request=self._request
        )
        return self.ours.wait([record.id])[0]

    def through_dispatcher(self) -> Conclusions:
        """Ask for a sweep; returns when the last page is there."""
        rows = ["market,horizon", *(f"{item['market']},{item['horizon']}" for item in self.values)]
        sweep = create_sweep(
            self.ours.workspace,
            self.ours.project,
            self.version,
            SweepAsked(csv_text="\n".join(rows)),
            request=self._request,
        )
        with self.ours.workspace.database.read() as connection:
            ids = list(connection.scalars(select(runs.c.id).where(runs.c.sweep_id == sweep.id)))
        return {_place(item.parameters): self._conclusion(item) for item in self.ours.wait(ids)}

    def through_papermill(
        self, papermill: Papermill, notebook: Path, environment: Mapping[str, str], *, parallel: int
    ) -> Conclusions:
        """Run papermill once for each, so many at once."""
        outputs = notebook.parent / "executed"
        outputs.mkdir(exist_ok=True)
        paths = [outputs / f"{number}.ipynb" for number in range(len(self.values))]
        papermill.run_all(
            [
                papermill.command(notebook, path, values, folder=notebook.parent)
                for path, values in zip(paths, self.values, strict=True)
            ],
            parallel=parallel,
            environment=environment,
        )
        executed = [json.loads(path.read_text()) for path in paths]
        shutil.rmtree(outputs)
        return self._conclusions(executed)

    def through_scheduler(self, scheduler: JupyterScheduler, notebook: Path) -> Conclusions:
        """Post all jobs; it starts them all at once."""
        jobs = [scheduler.post(notebook, values) for values in self.values]
        for job in jobs:
            scheduler.wait(job)
        return self._conclusions([scheduler.executed(job, notebook) for job in jobs])

    @property
    def _request(self) -> RunRequest:
        return replace(self.ours.request, profile=Profile.SMOKE)

    def _conclusion(self, record: RunRecord) -> str:
        return conclusion(json.loads(self.ours.workspace.blobs.get(record.sources["executed"])))

    def _conclusions(self, executed: list[Any]) -> Conclusions:
        return {
            _place(values): conclusion(notebook)
            for values, notebook in zip(self.values, executed, strict=True)
        }


def timed(contender: Contender) -> tuple[float, Conclusions]:
    """Return how long a contender takes for all runs, and what they concluded."""
    began = time.perf_counter()
    found = contender()
    return time.perf_counter() - began, found


def conclusion(notebook: Any) -> str:
    """Return what the last code cell of an executed notebook shows."""
    cell = [item for item in notebook["cells"] if item["cell_type"] == "code"][-1]
    texts = [output.get("data", {}).get("text/markdown", "") for output in cell["outputs"]]
    text = "".join("".join(part) for part in texts).strip()
    if not text:
        sys.exit("A run of the demo has no conclusion.")
    return text


def _place(values: Mapping[str, Any]) -> tuple[str, int]:
    return values["market"], values["horizon"]


def _markets(folder: Path) -> list[str]:
    import pandas as pd

    table = pd.read_parquet(folder / "data" / "seats.parquet", columns=["market"])
    return sorted(map(str, table["market"].unique()))
