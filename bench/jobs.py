"""Measure our queue, and how runs through it compare with papermill and jupyter-scheduler.

`make bench-jobs BENCH_ARGS="--only first-cell --rounds 20"`. Contenders take turns in one run, with
the same kernel and compiled bytecode. Nothing is left afterwards but the peers in ``.bench``.
"""

from __future__ import annotations

import argparse
import compileall
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.empty_executor import EmptyExecutor
from bench.figures import free_memory_mb, machine, table
from bench.first_cell import FirstCell
from bench.ours import PERSON, Ours, dispatcher_alone, dispatcher_within
from bench.peers import KERNEL, Papermill, Peer, PeerMissing
from bench.scheduler import jupyter_scheduler
from bench.sweep import Conclusions, Demo, timed
from nb2prod.workspace.projects import found_project
from tests.helpers.engine import REPOSITORY
from tests.helpers.hub import StartedHub
from tests.helpers.notebooks import code, write_notebook

MEASUREMENTS = ("first-cell", "queue", "notebooks", "sweep")
OURS, OURS_TRACKED = "ours", "ours, with MLflow"
PAPERMILL, SCHEDULER = "papermill", "jupyter-scheduler"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What was asked for, a folder that is empty, and who is there to be compared with."""

    given: argparse.Namespace
    folder: Path
    peers: Mapping[str, Peer]

    @contextmanager
    def alone(self) -> Iterator[Ours]:
        """Give a workspace with nothing but a dispatcher's process, and no MLflow."""
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as home,
            dispatcher_alone(Path(home) / "home", parallel=self.given.parallel) as ours,
        ):
            yield ours

    @contextmanager
    def whole(self) -> Iterator[tuple[Ours, str]]:
        """Give a whole workspace as `nb2prod up` starts it, and the address of its MLflow."""
        environment = {
            "NB2PROD_RUN_LIMIT": str(self.given.parallel),
            # Empty, as the helper starts from this process's own.
            "PYTHONDONTWRITEBYTECODE": "",
        }
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as home,
            StartedHub(Path(home) / "home", environment=environment) as hub,
            hub.open() as workspace,
        ):
            project = found_project(workspace, "bench", owner=PERSON)
            yield Ours(workspace=workspace, project=project), hub.plan.mlflow_url


def first_cell(bench: Bench) -> str:
    """Measure the time from a request until its first cell runs."""
    notebook = FirstCell(bench.folder)
    with ExitStack() as stack:
        contenders = {OURS: notebook.ours(stack.enter_context(bench.alone()))}
        ours, _ = stack.enter_context(bench.whole())
        contenders[OURS_TRACKED] = notebook.ours(ours)
        if PAPERMILL in bench.peers:
            contenders[PAPERMILL] = notebook.papermill(Papermill(bench.peers[PAPERMILL]))
        if SCHEDULER in bench.peers:
            started = jupyter_scheduler(bench.peers[SCHEDULER], notebook.notebook.parent)
            contenders[SCHEDULER] = notebook.scheduler(stack.enter_context(started))
        rounds = in_turns(contenders, bench.given.rounds)
    title = f"From the request until the first cell runs, idle, {len(rounds)} rounds:\n"
    return title + table(rounds, ours=OURS)


def queue(bench: Bench) -> str:
    """Measure the queue alone, by runs that start nothing."""
    count = bench.given.runs
    title = (
        f"{count} runs through the queue alone: from the request until the last page is there, with"
        f" an executor that starts nothing, {bench.given.parallel} at once:\n"
    )
    with tempfile.TemporaryDirectory(dir=bench.folder) as home:
        environment = {"NB2PROD_HOME": home, "NB2PROD_USER": PERSON}
        within = dispatcher_within(environment, EmptyExecutor(), parallel=bench.given.parallel)
        with within as ours:
            version = ours.version("empty", code("pass"))
            ours.wait([ours.ask(version)])
            began = time.perf_counter()
            ids = ours.ask_for_many(version, count)
            asked = time.perf_counter() - began
            ours.wait(ids)
            took = time.perf_counter() - began
    figures = f"{count / took:.0f} runs/s, {1000 * took / count:.0f} ms for each"
    return f"{title}  {took:.1f} s ({asked:.2f} s to ask for them): {figures}"


def notebooks(bench: Bench) -> str:
    """Measure real runs of a notebook that does nothing."""
    count, parallel = bench.given.notebooks, bench.given.parallel
    cell, folder = code("pass"), bench.folder / "notebooks"
    path = write_notebook(folder / "empty.ipynb", cell, metadata=KERNEL)
    with bench.alone() as ours:
        version = ours.version("empty", cell)
        contenders = {OURS: lambda: _seconds(lambda: ours.wait(ours.ask_for_many(version, count)))}
        if PAPERMILL in bench.peers:
            papermill = Papermill(bench.peers[PAPERMILL])
            commands = [
                papermill.command(path, folder / f"{number}.ipynb", {}, folder=folder)
                for number in range(count)
            ]
            contenders[PAPERMILL] = lambda: _seconds(
                lambda: papermill.run_all(commands, parallel=parallel)
            )
        rounds = in_turns(contenders, bench.given.sweep_rounds)
    title = (
        f"{count} empty notebooks, {parallel} at once (ours: until the last page is there),"
        f" {len(rounds)} rounds:\n"
    )
    return title + table(rounds, ours=OURS)


def sweep(bench: Bench) -> str:
    """Measure a sweep of smoke runs of the demo."""
    remarks: list[str] = []
    found: dict[str, list[Conclusions]] = {}
    with ExitStack() as stack:
        ours, mlflow_url = stack.enter_context(bench.whole())
        demo = Demo.found(ours, count=bench.given.sweep_runs)
        runners: dict[str, Callable[[], Conclusions]] = {OURS_TRACKED: demo.through_dispatcher}
        environment = {**demo.tracking, "MLFLOW_TRACKING_URI": mlflow_url}
        if PAPERMILL in bench.peers:
            papermill = Papermill(bench.peers[PAPERMILL])
            path = demo.copy(bench.folder / "papermill-sweep")
            runners[PAPERMILL] = lambda: demo.through_papermill(
                papermill, path, environment, parallel=bench.given.parallel
            )
        needed_mb = _peak_mb(demo) * len(demo.values)
        if SCHEDULER in bench.peers and needed_mb < free_memory_mb():
            folder = bench.folder / "scheduler-sweep"
            copied = demo.copy(folder)
            started = stack.enter_context(
                jupyter_scheduler(bench.peers[SCHEDULER], folder, environment=environment)
            )
            runners[SCHEDULER] = lambda: demo.through_scheduler(started, copied)
        elif SCHEDULER in bench.peers:
            remarks.append(
                f"  {SCHEDULER}: not measured; it starts all jobs at once, which needs about"
                f" {needed_mb / 1000:.0f} GB of memory"
            )

        def timing(name: str) -> Callable[[], float]:
            def contender() -> float:
                took, conclusions = timed(runners[name])
                found.setdefault(name, []).append(conclusions)
                return took

            return contender

        timings = {name: timing(name) for name in runners}
        rounds = in_turns(timings, bench.given.sweep_rounds, warm_up=False)
        smoke = demo.version.manifest.run.smoke
    values = ", ".join(f"{name} = {value}" for name, value in smoke.items()) or "no smoke values"
    title = (
        f"A sweep of {len(demo.values)} smoke runs of the demo ({values}), {bench.given.parallel}"
        f" at once where there is a limit, all logging to one MLflow server, {len(rounds)} rounds:"
    )
    return "\n".join([title, table(rounds, ours=OURS_TRACKED), *remarks, f"  {_agreement(found)}"])


def in_turns(
    contenders: Mapping[str, Callable[[], float]], count: int, *, warm_up: bool = True
) -> list[dict[str, float]]:
    """Measure contenders in turns, each round in another order; returns the rounds' seconds."""
    names, rounds = list(contenders), list[dict[str, float]]()
    for number in range(-1 if warm_up else 0, count):
        start = number % len(names)
        took = {name: contenders[name]() for name in (*names[start:], *names[:start])}
        # The first round fills the machine's caches.
        if number >= 0:
            rounds.append({name: took[name] for name in names})
            words = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in rounds[-1].items())
            print(f"  round {number + 1}: {words}", flush=True)
    return rounds


def main() -> None:
    """Measure, and print."""
    given = _arguments()
    for folder in ("nb2prod", "kernels", "hub", "tests/helpers", "bench"):
        compileall.compile_dir(REPOSITORY / folder, quiet=2)
    measurements = {
        "first-cell": first_cell,
        "queue": queue,
        "notebooks": notebooks,
        "sweep": sweep,
    }
    reports = []
    with tempfile.TemporaryDirectory(prefix="nb2prod-bench-") as text:
        peers, missing = _peers(Path(text))
        for name in given.only or MEASUREMENTS:
            print(f"{name}: {measurements[name].__doc__}", flush=True)
            own = Path(text) / name
            own.mkdir()
            reports.append(measurements[name](Bench(given=given, folder=own, peers=peers)))
    names = [f"{peer.package} {peer.version}" for peer in peers.values()]
    compared = f"Compared with {', '.join(names)}." if names else "Compared with nobody."
    print("\n\n".join(["", machine(), *reports, " ".join([compared, *missing])]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="all by default")
    parser.add_argument("--rounds", type=int, default=15, help="of the first cell")
    parser.add_argument("--runs", type=int, default=1000, help="through the queue alone")
    parser.add_argument("--notebooks", type=int, default=20, help="empty ones in a round")
    parser.add_argument("--sweep-runs", type=int, default=28, help="of the demo, 28 at most")
    parser.add_argument("--sweep-rounds", type=int, default=3, help="of notebooks and sweep")
    parser.add_argument("--parallel", type=int, default=2, help="runs at once")
    return parser.parse_args()


def _peers(folder: Path) -> tuple[dict[str, Peer], list[str]]:
    peers, missing = {}, []
    for package in (PAPERMILL, SCHEDULER):
        try:
            peers[package] = Peer.install(package, folder / f"{package}-own")
        except PeerMissing as error:
            missing.append(f"{package} is not compared with: {error}.")
    return peers, missing


def _peak_mb(demo: Demo) -> float:
    """Return what a run of the demo takes, by one that is not measured."""
    return demo.first_run().peak_memory_mb or 0.0


def _agreement(found: Mapping[str, list[Conclusions]]) -> str:
    items = [item for conclusions in found.values() for item in conclusions]
    places = {place for item in items for place in item}
    differing = sum(len({item[place] for item in items}) > 1 for place in places)
    if differing:
        return f"Of {len(places)} conclusions {differing} are NOT the same in all runs."
    return f"All {len(places)} conclusions are the same, whoever ran them."


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
