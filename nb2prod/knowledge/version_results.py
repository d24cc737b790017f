"""What the last runs of two versions came to: their metrics, and what their cells showed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nb2prod.errors import BlobNotFound
from nb2prod.execution.events import output_text
from nb2prod.execution.models import Profile, RunRecord, RunStatus
from nb2prod.execution.runs import LIST_LIMIT, list_runs
from nb2prod.notebook.models import INJECTED_PARAMETERS_TAG
from nb2prod.registry.manifest import read_manifest
from nb2prod.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricResult:
    """A metric of the two runs; `None` where one has it not."""

    name: str
    before: float | None
    after: float | None
    is_main: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputResult:
    """A cell that is in both versions, and showed something else.

    Parameters
    ----------
    before, after
        Its number in either version's notebook.
    diff
        Of what it showed as text, as a unified diff without the names of files.
    has_other_pictures
        Whether its pictures, tables and the like are other ones.
    """

    before: int
    after: int
    diff: str
    has_other_pictures: bool


@dataclass(frozen=True, kw_only=True)
class ResultsDiff:
    """The difference between the results of two runs.

    Parameters
    ----------
    before, after
        The runs' ids.
    parameters
        Names of parameters whose values differ, with both.
    """

    before: str
    after: str
    parameters: Mapping[str, tuple[Any, Any]]
    metrics: tuple[MetricResult, ...]
    outputs: tuple[OutputResult, ...]


def last_runs(
    workspace: Workspace, project: str, pipeline: str, numbers: Iterable[int], *, person: str
) -> dict[int, RunRecord]:
    """Return the last run of each version that has succeeded; a smoke run for want of others."""
    found: dict[int, RunRecord] = {}
    smoke: dict[int, RunRecord] = {}
    wanted = set(numbers)
    for record in list_runs(
        workspace,
        person=person,
        project=project,
        pipeline=pipeline,
        status=RunStatus.SUCCEEDED,
        limit=LIST_LIMIT,
    ):
        if record.version in wanted:
            kept = found if record.profile is Profile.FULL else smoke
            kept.setdefault(record.version, record)
    return {**smoke, **found}


def compare_results(
    workspace: Workspace, before: RunRecord, after: RunRecord, pairs: Sequence[tuple[int, int]]
) -> ResultsDiff:
    """Compare what two runs came to.

    Parameters
    ----------
    pairs
        Numbers of the cells that are the same cell in both versions.
    """
    old, new = _outputs(workspace, before), _outputs(workspace, after)
    names = dict.fromkeys((*before.parameters, *after.parameters))
    return ResultsDiff(
        before=before.id,
        after=after.id,
        parameters={
            name: (before.parameters.get(name), after.parameters.get(name))
            for name in names
            if before.parameters.get(name) != after.parameters.get(name)
        },
        metrics=_metrics(workspace, before, after),
        outputs=tuple(
            change
            for one, other in pairs
            if (change := _output(one, other, old.get(one, []), new.get(other, []))) is not None
        ),
    )


def _metrics(workspace: Workspace, before: RunRecord, after: RunRecord) -> tuple[MetricResult, ...]:
    main = read_manifest(workspace.blobs.get(after.sources["manifest"]).decode()).main_metric
    names = sorted({*before.metrics, *after.metrics}, key=lambda name: (name != main, name))
    return tuple(
        MetricResult(
            name=name,
            before=before.metrics.get(name),
            after=after.metrics.get(name),
            is_main=name == main,
        )
        for name in names
    )


def _outputs(workspace: Workspace, record: RunRecord) -> dict[int, list[Mapping[str, Any]]]:
    """Return what each of the author's cells put out, by its number in the version's notebook."""
    try:
        notebook = json.loads(workspace.blobs.get(record.sources["executed"]))
    except (KeyError, BlobNotFound):
        return {}
    own = [
        cell
        for cell in notebook.get("cells", ())
        if INJECTED_PARAMETERS_TAG not in cell.get("metadata", {}).get("tags", ())
    ]
    return {number: cell.get("outputs") or [] for number, cell in enumerate(own, start=1)}


def _output(
    number: int, other: int, old: list[Mapping[str, Any]], new: list[Mapping[str, Any]]
) -> OutputResult | None:
    texts = ["".join(map(output_text, outputs)).splitlines() for outputs in (old, new)]
    diff = list(difflib.unified_diff(texts[0], texts[1], lineterm="", n=1))[2:]
    has_other_pictures = _rich(old) != _rich(new)
    if not diff and not has_other_pictures:
        return None
    return OutputResult(
        before=number,
        after=other,
        diff="".join(f"{line}\n" for line in diff),
        has_other_pictures=has_other_pictures,
    )


def _rich(outputs: list[Mapping[str, Any]]) -> list[str]:
    """Return what of outputs is no plain text, as far as it can be compared."""
    found = []
    for output in outputs:
        data = output.get("data")
        if isinstance(data, Mapping):
            shown = {name: data[name] for name in data if not name.startswith("text/plain")}
            found.append(json.dumps(shown, sort_keys=True, default=str))
    return [item for item in found if item != "{}"]
