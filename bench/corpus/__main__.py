"""`python -m bench.corpus DIR`: one table of what becomes of a folder of notebooks."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from bench.corpus.models import Examined, Outcome
from bench.corpus.report import run_lists, run_table, static_lists, static_table
from bench.corpus.runs import Compared, Runner, is_offline
from bench.corpus.static_checks import examine
from bench.figures import machine


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure a folder; returns 1 if a notebook made us crash, 2 if there is none."""
    given = _parser().parse_args(arguments)
    root = given.dir.resolve()
    paths = notebooks_in(root)
    if not paths:
        print(f"There is no notebook below {root}. Give a folder that has some.", file=sys.stderr)
        return 2
    found, scripts = _examine_all(paths, root, with_peers=not given.no_peers)
    if given.scripts:
        _keep(scripts, given.scripts)
    compared: dict[str, Compared] = {}

    def report() -> str:
        parts = [machine(), static_table(found)]
        parts += [_run_report(compared)] if given.run else []
        parts += [run_lists(compared)] if given.lists and given.run else []
        parts += [static_lists(found)] if given.lists else []
        return "\n\n".join(parts)

    def save() -> None:
        if given.json:
            given.json.write_text(json.dumps(_as_json(found, compared), indent=1))
        if given.report:
            given.report.write_text(report() + "\n", encoding="utf-8")

    save()
    if given.run:
        runner = Runner(
            python=given.python,
            timeout_s=given.timeout,
            project_root=root if given.projects else None,
        )
        chosen = _chosen(scripts, given.runs)
        _compare_all(runner, root, chosen, compared, jobs=given.jobs, then=save)
    print(report())
    return int(any(item.outcome is Outcome.CRASHED for item in found))


def notebooks_in(root: Path) -> list[Path]:
    """Return all notebooks below a folder, without Jupyter's own copies, in a fixed order."""
    return sorted(
        path
        for path in root.rglob("*.ipynb")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    )


def _examine_all(
    paths: Sequence[Path], root: Path, *, with_peers: bool
) -> tuple[list[Examined], dict[str, str]]:
    found: list[Examined] = []
    scripts: dict[str, str] = {}
    for number, path in enumerate(paths, start=1):
        examined, script = examine(path, root, with_peers=with_peers)
        found.append(examined)
        if examined.is_exported:
            scripts[examined.path] = script
        _progress("examined", number, len(paths))
    return found, scripts


def _chosen(scripts: Mapping[str, str], count: int | None) -> Mapping[str, str]:
    """Return some of them, from all over the folder; the same ones each time."""
    paths = sorted(scripts)
    if count is not None and count < len(paths):
        paths = random.Random(0).sample(paths, count)  # noqa: S311 # nothing to keep secret
    return {path: scripts[path] for path in paths}


def _compare_all(
    runner: Runner,
    root: Path,
    scripts: Mapping[str, str],
    compared: dict[str, Compared],
    *,
    jobs: int,
    then: Callable[[], None],
) -> None:
    with ThreadPoolExecutor(jobs) as pool:
        tasks = {
            pool.submit(runner.compare, root / path, script): path
            for path, script in scripts.items()
        }
        for number, task in enumerate(as_completed(tasks), start=1):
            compared[tasks[task]] = task.result()
            _progress("run", number, len(tasks))
            then()


def _run_report(compared: Mapping[str, Compared]) -> str:
    network = "" if is_offline() else "\n(The network was NOT off: `unshare` is not allowed here.)"
    return run_table(compared) + network


def _as_json(found: Sequence[Examined], compared: Mapping[str, Compared]) -> list[object]:
    runs = {path: asdict(item) for path, item in compared.items()}
    return [{**item.as_json(), "run": runs.get(item.path)} for item in found]


def _keep(scripts: Mapping[str, str], folder: Path) -> None:
    for path, script in scripts.items():
        target = folder / Path(path).with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(script, encoding="utf-8")


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{what} {done}/{total}", end=end, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.corpus", description=__doc__)
    add = parser.add_argument
    add("dir", type=Path, metavar="DIR", help="a folder of notebooks")
    add("--run", action="store_true", help="run each notebook and its script, offline, and compare")
    add("--runs", type=int, metavar="N", help="of so many only, chosen from all over the folder")
    add("--python", type=Path, default=Path(sys.executable), help="what runs them, with ipykernel")
    add("--jobs", type=int, default=2, help="how many at once")
    add("--timeout", type=float, default=150, metavar="SECONDS", help="for each run")
    add("--projects", action="store_true", help="copy each folder of DIR whole for its runs")
    add("--no-peers", action="store_true", help="leave nbconvert and jupytext out")
    add("--lists", action="store_true", help="name the notebooks behind the numbers")
    add("--json", type=Path, metavar="FILE", help="write all that was found")
    add("--report", type=Path, metavar="FILE", help="write the table here too, while runs go on")
    add("--scripts", type=Path, metavar="DIR", help="keep the scripts here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
