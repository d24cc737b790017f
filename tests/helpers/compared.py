"""Two runs of one pipeline that differ in all that a comparison shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nb2prod.execution.models import FileAccess, FileUse, Machine, RunRecord
from nb2prod.knowledge import pages
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.gallery import SHA, make_plot, picture
from tests.helpers.notebooks import code, markdown, notebook_json, stream
from tests.helpers.runs import manifest_text, run_record, store_run

OLDER, NEWER = "olderrunaaaa", "newerrunaaaa"

SCRIPT = """\
# %% [markdown]
# # Seats departed per day
# %%
alpha = 0.2
# %%
model = Lasso(alpha=alpha).fit(X, y)
print(model.score(X, y))
"""
NEW_SCRIPT = SCRIPT.replace("Lasso(", "ElasticNet(l1_ratio=0.9, ").replace(
    "print(", "show_residuals(model)\nprint("
)


def store_two_runs(workspace: Workspace, project: Project) -> tuple[RunRecord, RunRecord]:
    """Store the two runs with their pages: v1, and v2 with another script, data and packages."""
    before = _stored(
        workspace,
        project,
        run_id=OLDER,
        version=1,
        age=timedelta(days=3),
        script=SCRIPT,
        lock="numpy==1.26.4\npandas==2.2.3\nscikit-learn==1.5.0\n",
        plots=1,
        parameters={"market": "JFK-DL", "alpha": 0.2, "epochs": 40},
        metrics={"mape": 4.4, "mape_baseline": 6.2, "dropped": 1.0},
        files=(_read("data/flights.parquet", SHA), _read("data/same.csv", SHA)),
    )
    after = _stored(
        workspace,
        project,
        run_id=NEWER,
        version=2,
        age=timedelta(minutes=20),
        script=NEW_SCRIPT,
        lock="numpy==2.0.0\npandas==2.2.3\nscikit-learn==1.5.0\nrich==13.9\n",
        plots=2,
        parameters={"market": "JFK-DL", "alpha": 0.1, "epochs": 40, "l1_ratio": 0.9},
        metrics={"mape": 4.1, "mape_baseline": 6.2, "added": 2.0},
        files=(_read("data/flights.parquet", SHA[::-1]), _read("data/same.csv", SHA)),
    )
    pages.catch_up(workspace)
    return before, after


def _stored(
    workspace: Workspace,
    project: Project,
    *,
    run_id: str,
    version: int,
    age: timedelta,
    script: str,
    lock: str,
    plots: int,
    **fields: Any,
) -> RunRecord:
    created = datetime.now(UTC) - age
    record = run_record(
        workspace.blobs,
        _notebook(script, version, plots),
        manifest=manifest_text("mape", lower_is_better=True),
        id=run_id,
        project=project.name,
        pipeline="train",
        version=version,
        commit=f"{version}" * 40,
        created_at=created,
        started_at=created + timedelta(seconds=2),
        ended_at=created + timedelta(seconds=44),
        machine=Machine(
            python=f"3.11.{version}",
            platform="Linux-6.1.0-x86_64-with-glibc2.36",
            cpu="AMD EPYC 9V74",
            cpu_count=2,
            host="modelling-1",
        ),
        **fields,
    )
    stored = {
        name: workspace.blobs.put_bytes(content.encode()).sha256
        for name, content in (("script", script), ("lock", lock))
    }
    return store_run(workspace, project, replace(record, sources={**record.sources, **stored}))


def _read(path: str, sha256: str) -> FileUse:
    return FileUse(path=path, access=FileAccess.READ, sha256=sha256, size_bytes=4_812_332)


def _notebook(script: str, version: int, plots: int) -> dict[str, Any]:
    drawn = [picture(make_plot(version + number)) for number in range(plots)]
    return notebook_json(
        markdown("# Seats departed per day\n\nHow many seats leave each day?"),
        code(script.splitlines()[5], outputs=[stream("epoch 1\n"), *drawn], execution_count=1),
        markdown("## Conclusion\n\nThe ensemble beats the historical average by a third."),
    )
