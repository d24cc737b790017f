"""Two runs side by side: what differs in parameters, metrics, script, environment, data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from nb2prod.errors import InvalidInput
from nb2prod.execution.models import FileAccess, FileUse, RunRecord
from nb2prod.knowledge import pages
from nb2prod.knowledge.models import MetricChange, PageView, RenderedOutput
from nb2prod.registry.diff import compare_scripts
from nb2prod.registry.lock import read_pins
from nb2prod.registry.models import EnvironmentLock
from nb2prod.workspace.workspace import Workspace

MAX_DIFF_LINES = 2000
MAX_PLOTS = 24

_KINDS = {"+": "added", "-": "removed", "@": "place"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A named thing as both runs have it; `None` where one has none."""

    name: str
    before: Any
    after: Any

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return bool(self.before != self.after)


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricPair:
    """A metric as both runs have it; ``change`` where both do."""

    name: str
    before: float | None
    after: float | None
    change: MetricChange | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffLine:
    """A line of a unified diff; ``kind`` is ``added``, ``removed``, ``place`` or ``same``."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A picture of a page."""

    run_id: str
    cell: int
    output: RenderedOutput


@dataclass(frozen=True, kw_only=True)
class CompareView:
    """What the comparison's template shows; ``before`` is the older run."""

    before: PageView
    after: PageView
    parameters: tuple[Pair, ...]
    metrics: tuple[MetricPair, ...]
    script: tuple[DiffLine, ...]
    script_is_cut: bool
    packages: tuple[Pair, ...]
    facts: tuple[Pair, ...]
    data: tuple[Pair, ...]
    plots: tuple[tuple[Plot | None, Plot | None], ...]
    more_plots: int


def run_ids(asked: Iterable[str]) -> tuple[str, str]:
    """Return the two runs of a query: ``runs=a,b``, or ``runs=a&runs=b`` as forms send it.

    Raises
    ------
    InvalidInput
        They are not two.

    Examples
    --------
    >>> run_ids(["a,b"]), run_ids(["a", "b"])
    (('a', 'b'), ('a', 'b'))
    """
    found = tuple(dict.fromkeys(part.strip() for text in asked for part in text.split(",")))
    chosen = tuple(part for part in found if part)
    if len(chosen) != 2:
        number = f"{len(chosen)} {'was' if len(chosen) == 1 else 'were'}"
        raise InvalidInput(
            f"Two different runs are compared, but {number} chosen. Go back and choose two."
        )
    return chosen[0], chosen[1]


def compose(workspace: Workspace, ids: tuple[str, str], *, person: str) -> CompareView:
    """Compare two runs that have pages, the older with the newer; raises `PageNotFound`."""
    found = [pages.get_page(workspace, run_id, person=person) for run_id in ids]
    before, after = sorted(found, key=lambda page: (page.record.created_at, page.record.id))
    script = _script(workspace, before.record, after.record)
    plots = tuple(zip_longest(_plots(before), _plots(after)))
    return CompareView(
        before=before,
        after=after,
        parameters=_pairs(before.record.parameters, after.record.parameters),
        metrics=_metrics(before, after),
        script=script[:MAX_DIFF_LINES],
        script_is_cut=len(script) > MAX_DIFF_LINES,
        packages=_changed(_packages(workspace, before.record), _packages(workspace, after.record)),
        facts=_pairs(_facts(before.record), _facts(after.record)),
        data=_changed(_data(before.record), _data(after.record)),
        plots=plots[:MAX_PLOTS],
        more_plots=max(len(plots) - MAX_PLOTS, 0),
    )


def diff_lines(diff: str) -> tuple[DiffLine, ...]:
    r"""Read a unified diff, without the two lines that name the files.

    >>> [line.kind for line in diff_lines("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n")]
    ['place', 'removed', 'added']
    """
    return tuple(
        DiffLine(kind=_KINDS.get(line[:1], "same"), text=line) for line in diff.split("\n")[2:-1]
    )


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Pair, ...]:
    names = dict.fromkeys((*before, *after))
    return tuple(Pair(name=name, before=before.get(name), after=after.get(name)) for name in names)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Pair, ...]:
    pairs = sorted(_pairs(before, after), key=lambda pair: pair.name)
    return tuple(pair for pair in pairs if pair.differs)


def _metrics(before: PageView, after: PageView) -> tuple[MetricPair, ...]:
    document = after.document
    old, new = before.record.metrics, after.record.metrics
    names = sorted({*old, *new}, key=lambda name: (name != document.main_metric, name))
    return tuple(
        MetricPair(
            name=name,
            before=old.get(name),
            after=new.get(name),
            change=MetricChange(
                name=name,
                value=new[name],
                before=old[name],
                lower_is_better=(
                    document.lower_is_better if name == document.main_metric else None
                ),
            )
            if name in old and name in new
            else None,
        )
        for name in names
    )


def _script(workspace: Workspace, before: RunRecord, after: RunRecord) -> tuple[DiffLine, ...]:
    if "script" not in before.sources or "script" not in after.sources:
        return ()
    old, new = (
        workspace.blobs.get(record.sources["script"]).decode("utf-8", "replace")
        for record in (before, after)
    )
    return diff_lines(compare_scripts(old, new, before.reference, after.reference))


def _packages(workspace: Workspace, record: RunRecord) -> dict[str, str]:
    if "lock" not in record.sources:
        return {}
    text = workspace.blobs.get(record.sources["lock"]).decode("utf-8", "replace")
    return read_pins(EnvironmentLock(text=text, python="", is_observed=record.lock_is_observed))


def _facts(record: RunRecord) -> dict[str, str]:
    facts = {"Commit": record.commit[:10], "Kernel": record.kernel_name}
    machine, conditions = record.machine, record.conditions
    if machine is not None:
        facts |= {
            "Python": machine.python,
            "Platform": machine.platform,
            "CPU": f"{machine.cpu} × {machine.cpu_count}",
            "GPU": ", ".join(machine.gpus),
            "GPU driver": machine.gpu_driver,
            "Host": machine.host,
        }
    if conditions is not None:
        facts |= {
            "Seed": str(conditions.seed),
            "Hash seed": conditions.hash_seed,
            "Threads": str(conditions.threads),
            "Time zone": conditions.time_zone,
            "Locale": conditions.locale,
        }
    return facts


def _data(record: RunRecord) -> dict[str, FileUse]:
    return {
        file.path: file for file in record.files if file.access is FileAccess.READ and file.sha256
    }


def _plots(page: PageView) -> tuple[Plot, ...]:
    return tuple(
        Plot(run_id=page.record.id, cell=cell.number, output=output)
        for cell in page.document.cells
        for output in cell.outputs
        if output.kind == "image" and output.sha256
    )
