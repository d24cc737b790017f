"""Two versions of a pipeline side by side: cells, what the manifest says, and their last runs."""

from __future__ import annotations

from dataclasses import dataclass

from nb2prod.knowledge.version_results import ResultsDiff, compare_results, last_runs
from nb2prod.registry.cell_diff import CellChange, shown
from nb2prod.registry.diff import ModuleChange, VersionDiff, compare_versions
from nb2prod.registry.models import Reference, check_pipeline_name
from nb2prod.registry.versions import list_versions, load_version
from nb2prod.server.compare_view import DiffLine, Pair, diff_lines
from nb2prod.workspace.models import Project
from nb2prod.workspace.projects import get_project
from nb2prod.workspace.workspace import Workspace

MAX_LINES = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownChange:
    """A change with what is read of it, and its lines; ``is_cut`` where there are more."""

    sentence: str
    lines: tuple[DiffLine, ...]
    is_cut: bool


@dataclass(frozen=True, kw_only=True)
class VersionsView:
    """What the comparison of two versions shows.

    Parameters
    ----------
    numbers
        Of all versions, newest first; to choose from.
    results
        `None` where not both have a run that has succeeded.
    """

    project: Project
    pipeline: str
    before: int
    after: int
    numbers: tuple[int, ...]
    cells: tuple[ShownChange, ...]
    parameters: tuple[Pair, ...]
    settings: tuple[Pair, ...]
    packages: tuple[Pair, ...]
    modules: tuple[ShownChange, ...]
    results: ResultsDiff | None
    outputs: tuple[ShownChange, ...]

    @property
    def is_same(self) -> bool:
        """Whether the versions do not differ at all."""
        return not (self.cells or self.parameters or self.settings or self.packages or self.modules)


def compose(
    workspace: Workspace,
    project: str,
    pipeline: str,
    before: int | None,
    after: int | None,
    *,
    person: str,
) -> VersionsView:
    """Compare two versions, by default the newest with the one before it.

    Raises
    ------
    ProjectNotFound, PipelineNotFound, VersionNotFound
        There is none such that the person may see.
    """
    found = get_project(workspace, project, person=person)
    name = check_pipeline_name(pipeline)
    numbers = tuple(entry.number for entry in list_versions(found.repository, name))
    newer = after or numbers[0]
    older = before or max(newer - 1, 1)
    old, new = (
        load_version(found.repository, Reference(name, number)) for number in (older, newer)
    )
    diff = compare_versions(old, new)
    runs = last_runs(workspace, found.name, name, (older, newer), person=person)
    results = (
        compare_results(workspace, runs[older], runs[newer], diff.cells.pairs)
        if older != newer and len(runs) == 2
        else None
    )
    return VersionsView(
        project=found,
        pipeline=name,
        before=older,
        after=newer,
        numbers=numbers,
        cells=tuple(map(_cell, shown(diff.cells.changes), diff.cells.changes)),
        parameters=_parameters(diff),
        settings=tuple(
            Pair(name=item.name, before=item.before, after=item.after) for item in diff.settings
        ),
        packages=tuple(
            Pair(name=item.name, before=item.before, after=item.after) for item in diff.packages
        ),
        modules=tuple(map(_module, diff.modules)),
        results=results,
        outputs=_outputs(results),
    )


def _parameters(diff: VersionDiff) -> tuple[Pair, ...]:
    return tuple(
        Pair(
            name=item.name,
            before=item.before and item.texts[0],
            after=item.after and item.texts[1],
        )
        for item in diff.parameters
    )


def _cell(sentence: str, change: CellChange) -> ShownChange:
    return _shown(sentence, change.diff)


def _module(module: ModuleChange) -> ShownChange:
    word = "new" if module.is_new else "gone" if module.is_gone else "changed"
    return _shown(f"{module.path}: {word}", "".join(module.diff.splitlines(keepends=True)[2:]))


def _outputs(results: ResultsDiff | None) -> tuple[ShownChange, ...]:
    if results is None:
        return ()
    return tuple(
        _shown(
            f"cell {item.after}" + (", with other pictures" if item.has_other_pictures else ""),
            item.diff,
        )
        for item in results.outputs
    )


def _shown(sentence: str, diff: str) -> ShownChange:
    # `diff_lines` leaves out the names of files, which these have not.
    lines = diff_lines(f"\n\n{diff}")
    return ShownChange(sentence=sentence, lines=lines[:MAX_LINES], is_cut=len(lines) > MAX_LINES)
