"""``nb2prod versions | diff | checkout``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.syntax import Syntax

from nb2prod.cli.context import here, opened, project_here
from nb2prod.cli.output import JSON_OPTION, age, console, number, print_json, print_table, to_json
from nb2prod.errors import Conflict, ReferenceInvalid, storage_error
from nb2prod.notebook.reading import to_node
from nb2prod.registry.cell_diff import CellDiff, shown
from nb2prod.registry.diff import ModuleChange, VersionDiff, compare_versions
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import list_versions, load_version, version_notebook

if TYPE_CHECKING:
    from nb2prod.knowledge.version_results import ResultsDiff

_NUMBER = re.compile(r"@?v?(?P<number>[1-9][0-9]*)\Z")


def versions(
    pipeline: Annotated[str | None, typer.Argument(help="Only this pipeline's.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """List the versions in this repository, newest first."""
    entries = list_versions(here().root, pipeline)
    if as_json:
        print_json([{"reference": str(entry.reference), "entry": entry} for entry in entries])
        return
    print_table(
        ("Version", "Commit", "Author", "Promoted"),
        [
            (
                str(entry.reference),
                entry.commit[:10],
                escape(entry.author),
                age(entry.created_at),
            )
            for entry in entries
        ],
        empty="No versions yet; `nb2prod promote NOTEBOOK` makes the first.",
    )


def diff(
    which: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION VERSION",
            help="Two versions: `train@v1 train@v2`, or `train v1 v2`.",
        ),
    ],
    script: Annotated[
        bool, typer.Option("--script", help="Show the scripts' difference instead of the cells'.")
    ] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Compare two versions: cells, parameters, settings, packages, own modules, and results.

    Results are those of the last run of each that has succeeded, where this workspace has any.
    """
    root = here().root
    before, after = (load_version(root, reference) for reference in two_references(which))
    found = compare_versions(before, after)
    results = _results(before, after, found.cells)
    if as_json:
        print_json({**to_json(found), "results": results})
        return
    if found.is_empty:
        console.print(f"{found.before} and {found.after} do not differ.")
    elif script:
        _print_diff(found.script)
    elif found.script and not found.cells.changes:
        console.print(
            "The cells are the same; the scripts differ in what was generated (`--script`)."
        )
    else:
        _print_cells(found.cells)
    _print_manifest(found)
    for module in found.modules:
        _print_module(module)
    if results is not None:
        _print_results(results)


def checkout(
    version: Annotated[str, typer.Argument(help="A version, as in `train@v2`.")],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to write it; by default `train-v2.ipynb` in this folder."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that has another content.")
    ] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Write a version back as a notebook: the author's cells, without outputs."""
    found = load_version(here().root, Reference.parse(version))
    path = to or Path(f"{found.pipeline}-v{found.number}.ipynb")
    node = to_node(version_notebook(found))
    text = json.dumps(node, ensure_ascii=False, indent=1) + "\n"
    is_new = _write(path, text.encode("utf-8", "replace"), force=force)
    if as_json:
        print_json({"reference": str(found.reference), "path": str(path), "is_new": is_new})
        return
    said = f"[green]{found.reference}[/] → {escape(str(path))}"
    console.print(said if is_new else f"{said}, which had this content already", soft_wrap=True)
    if found.modules:
        console.print(
            f"[dim]Its modules are in its commit: `git show {found.commit[:10]}:pipelines/"
            f"{found.pipeline}/modules/`[/]",
            soft_wrap=True,
        )


def two_references(which: list[str]) -> tuple[Reference, Reference]:
    """Read two versions from the words of a command line.

    Raises
    ------
    ReferenceInvalid
        They are not two versions of one pipeline, or of two.

    Examples
    --------
    >>> [str(item) for item in two_references(["train", "v2", "v3"])]
    ['train@v2', 'train@v3']
    >>> [str(item) for item in two_references(["train@v2", "score"])]
    ['train@v2', 'score']
    """
    if len(which) == 3:
        numbers = [_NUMBER.match(word) for word in which[1:]]
        words = [f"{which[0]}@v{match['number']}" for match in numbers if match]
    else:
        words = which
    if len(words) != 2:
        raise ReferenceInvalid(
            f"`{' '.join(which)}` is not two versions. Write `train@v2 train@v3`, or `train v2 v3`."
        )
    return Reference.parse(words[0]), Reference.parse(words[1])


def _write(path: Path, content: bytes, *, force: bool) -> bool:
    """Write a file, but over no other content; whether it was written at all."""
    try:
        is_there = path.exists()
        if is_there and path.read_bytes() == content:
            return False
        if is_there and not force:
            raise Conflict(
                f"{path} is there already, with another content. Give another place with `--to`, or"
                " replace it with `--force`.",
                path=str(path),
            )
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    return True


def _results(before: Version, after: Version, cells: CellDiff) -> ResultsDiff | None:
    if before.pipeline != after.pipeline:
        return None
    from nb2prod.knowledge.version_results import compare_results, last_runs

    numbers = (before.number, after.number)
    with opened() as workspace:
        person = workspace.settings.person
        project = project_here(workspace).name
        runs = last_runs(workspace, project, before.pipeline, numbers, person=person)
        if len(runs) < len(set(numbers)) or before.number == after.number:
            return None
        return compare_results(workspace, runs[numbers[0]], runs[numbers[1]], cells.pairs)


def _print_diff(text: str) -> None:
    if text:
        console.print(Syntax(text, "diff", theme="ansi_light", background_color="default"))


def _print_cells(cells: CellDiff) -> None:
    for sentence, change in zip(shown(cells.changes), cells.changes, strict=True):
        console.print(f"[bold]{escape(sentence)}[/]", soft_wrap=True)
        _print_diff(change.diff)


def _print_manifest(found: VersionDiff) -> None:
    for change in found.parameters:
        old, new = change.texts
        console.print(f"parameter [bold]{change.name}[/]: {escape(old)} → {escape(new)}")
    for setting in found.settings:
        console.print(
            f"setting [bold]{setting.name}[/]:"
            f" {escape(repr(setting.before))} → {escape(repr(setting.after))}"
        )
    for package in found.packages:
        console.print(
            f"package [bold]{escape(package.name)}[/]:"
            f" {package.before or 'absent'} → {package.after or 'absent'}"
        )


def _print_module(module: ModuleChange) -> None:
    word = "new" if module.is_new else "gone" if module.is_gone else "changed"
    console.print(f"own module [bold]{escape(module.path)}[/]: {word}")
    _print_diff(module.diff)


def _print_results(results: ResultsDiff) -> None:
    console.print(f"\nLast runs: {results.before} → {results.after}")
    for name, (old, new) in results.parameters.items():
        console.print(f"value of [bold]{escape(name)}[/]: {escape(f'{old!r} → {new!r}')}")
    for metric in results.metrics:
        sides = (
            "absent" if side is None else number(side) for side in (metric.before, metric.after)
        )
        mark = " (main)" if metric.is_main else ""
        console.print(f"metric [bold]{escape(metric.name)}[/]{mark}: {' → '.join(sides)}")
    for output in results.outputs:
        where = (
            f"{output.after}"
            if output.before == output.after
            else (f"{output.before}, now {output.after}")
        )
        pictures = ", and other pictures" if output.has_other_pictures else ""
        console.print(f"[bold]cell {where} shows something else{pictures}[/]")
        _print_diff(output.diff)
