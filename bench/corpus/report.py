"""One table of a whole corpus, and the lists behind its numbers."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bench.corpus.models import Examined, Outcome
from bench.corpus.runs import Compared, Verdict
from bench.corpus.static_checks import what_refused

_WIDTH = 46


def static_table(found: Sequence[Examined]) -> str:
    """Return what is known without running anything."""
    python = [item for item in found if item.is_python]
    parsed = [item for item in python if not item.ipython_fault]
    exported = [item for item in parsed if item.is_exported]
    refused = [item for item in parsed if item.is_refused]
    rows = [
        *_read_rows(found, python, parsed),
        _row("exported", len(exported), len(parsed)),
        _row("refused", len(refused), len(parsed)),
        *(
            _row(f"  {reason}", count, len(parsed))
            for reason, count in Counter(item.reason for item in refused).most_common()
        ),
        _row("crashed", _count(found, lambda item: item.outcome is Outcome.CRASHED), len(found)),
        _row(
            "exported though IPython can't read it",
            _count(python, lambda item: bool(item.ipython_fault) and item.is_exported),
            len(python),
        ),
        "",
        *_script_rows(exported),
        "",
        *_peer_rows(parsed),
        *_time_rows(python),
    ]
    return "\n".join(rows)


def static_lists(found: Sequence[Examined]) -> str:
    """Return who is behind the table's numbers, and why."""
    parts = [
        _list(
            "CRASHED",
            (
                f"{item.path}\n    {item.detail.strip()}"
                for item in found
                if item.outcome is Outcome.CRASHED
            ),
        ),
        _list("REFUSED, BY WHAT IT WAS ABOUT", _refusals_by_subject(found)),
        _list(
            "REFUSED (IPython reads them)",
            (
                f"{item.path}: [{item.reason}] {item.detail}"
                for item in found
                if item.is_refused and not item.ipython_fault
            ),
        ),
        _list(
            "NOT PLAIN PYTHON",
            (item.path for item in found if item.is_exported and not item.is_plain),
        ),
        _list(
            "NAMES LOST",
            (
                f"{item.path}: {', '.join(item.lost)}"
                for item in found
                if item.is_exported and item.lost
            ),
        ),
        _list(
            "ROUND TRIP",
            (f"{item.path}: {item.round_trip_fault}" for item in found if item.round_trip_fault),
        ),
        _list(
            "BLOCKED BY THE PREFLIGHT, THOUGH THERE IS A SCRIPT",
            (
                f"{item.path}: {', '.join(item.blocked_by)}"
                for item in found
                if item.is_exported and item.blocked_by
            ),
        ),
        _list(
            "UNREADABLE",
            (f"{item.path}: {item.detail}" for item in found if item.outcome is Outcome.UNREADABLE),
        ),
        _list(
            "IPYTHON CAN'T READ THEM (its reason)",
            (
                f"{item.path}: {item.ipython_fault}; ours: {item.outcome} {item.reason}"
                for item in found
                if item.ipython_fault
            ),
        ),
        _list("SLOWEST", _slowest(found)),
    ]
    return "\n\n".join(parts)


def run_table(compared: Mapping[str, Compared]) -> str:
    """Return how the scripts' runs compare with the notebooks'."""
    counts = Counter(item.verdict for item in compared.values())
    failed = counts[Verdict.NOTEBOOK_FAILS]
    own_fault = failed + counts[Verdict.NONDETERMINISTIC]
    total = len(compared) - own_fault
    judged = [item for item in compared.values() if item.verdict is not Verdict.NOTEBOOK_FAILS]
    return "\n".join(
        [
            "Of those exported, run in a fresh kernel and as a plain program:",
            _row("run", len(compared), None),
            _row(str(Verdict.NOTEBOOK_FAILS), failed, len(compared)),
            _row(str(Verdict.NONDETERMINISTIC), counts[Verdict.NONDETERMINISTIC], len(compared)),
            "Of the others:",
            *(
                _row(str(verdict), counts[verdict], total)
                for verdict in (Verdict.EQUAL, Verdict.DIFFERS, Verdict.SCRIPT_FAILS)
            ),
            _row("figures shown by the notebooks", sum(item.figures for item in judged), None),
        ]
    )


def run_lists(compared: Mapping[str, Compared]) -> str:
    """Return by verdict which notebooks, and why."""
    parts = [
        _list(
            verdict.upper(),
            (
                f"{path}: {item.detail}"
                for path, item in compared.items()
                if item.verdict is verdict
            ),
        )
        for verdict in (
            Verdict.SCRIPT_FAILS,
            Verdict.DIFFERS,
            Verdict.NONDETERMINISTIC,
            Verdict.NOTEBOOK_FAILS,
        )
    ]
    return "\n\n".join(parts)


def _read_rows(
    found: Sequence[Examined], python: Sequence[Examined], parsed: Sequence[Examined]
) -> Iterator[str]:
    unreadable = _count(found, lambda item: item.outcome is Outcome.UNREADABLE)
    other = _count(found, lambda item: item.outcome is Outcome.NOT_PYTHON)
    yield _row("notebooks", len(found), None)
    yield _row("read", len(found) - unreadable, len(found))
    yield _row("not Python", other, len(found))
    yield _row("IPython reads all cells", len(parsed), len(python))
    yield ""
    yield "Of those whose cells IPython reads:"


def _script_rows(exported: Sequence[Examined]) -> Iterator[str]:
    total = len(exported)
    yield "Of those exported:"
    yield _row("plain Python", _count(exported, lambda item: item.is_plain), total)
    yield _row("no name lost that the notebook has", _count(exported, _keeps_names), total)
    yield _row(
        "round trip identical", _count(exported, lambda item: not item.round_trip_fault), total
    )
    blocked = [item for item in exported if item.blocked_by]
    yield _row("blocked by the preflight's policy", len(blocked), total)
    reasons = Counter(code for item in blocked for code in item.blocked_by)
    for reason, count in reasons.most_common():
        yield _row(f"  {reason}", count, total)


def _peer_rows(parsed: Sequence[Examined]) -> Iterator[str]:
    names = sorted({name for item in parsed for name in item.peers})
    if not names:
        return
    yield "Of those whose cells IPython reads, and beside others:"
    yield f"{'':{_WIDTH}s}" + "".join(f"{name:>14s}" for name in ["nb2prod", *names])
    total = len(parsed)

    def columns(title: str, ours: int, theirs: Callable[[Examined, str], bool]) -> str:
        counts = [ours, *(_count(parsed, lambda item, n=name: theirs(item, n)) for name in names)]
        shares = (f"{count:>6d} {_percent(count, total):>7s}" for count in counts)
        return f"{title:{_WIDTH}s}" + "".join(shares)

    yield columns(
        "plain Python",
        _count(parsed, lambda item: item.is_exported and item.is_plain),
        lambda item, name: item.peers[name].is_plain,
    )
    yield columns(
        "and no name lost",
        _count(parsed, lambda item: item.is_exported and item.is_plain and _keeps_names(item)),
        lambda item, name: item.peers[name].is_sound,
    )
    yield ""


def _time_rows(python: Sequence[Examined]) -> Iterator[str]:
    times = [1000 * item.seconds for item in python if item.seconds is not None]
    if len(times) > 1:
        last = statistics.quantiles(times, n=20)[-1]
        yield (
            f"Reading, preflight and export of one notebook, in one process: median"
            f" {statistics.median(times):.1f} ms, 95 % under {last:.1f} ms, max {max(times):.1f} ms"
        )


def _keeps_names(item: Examined) -> bool:
    return not item.lost


def _refusals_by_subject(found: Sequence[Examined]) -> Iterator[str]:
    refused = [item for item in found if item.is_refused and not item.ipython_fault]
    subjects = Counter(f"[{item.reason}] {what_refused(item)}" for item in refused)
    for subject, count in subjects.most_common():
        yield f"{count:5d}  {subject}"


def _slowest(found: Sequence[Examined]) -> Iterator[str]:
    timed = sorted(
        ((item.seconds, item.path) for item in found if item.seconds is not None), reverse=True
    )
    for seconds, path in timed[:15]:
        yield f"{1000 * seconds:7.1f} ms  {path}"


def _list(title: str, lines: Iterable[str]) -> str:
    shown = list(lines)
    return "\n".join([f"== {title} ({len(shown)})", *(f"  {line}" for line in shown)])


def _row(title: str, count: int, total: int | None) -> str:
    share = "" if total is None else f"{_percent(count, total):>8s}"
    return f"{title:{_WIDTH}s}{count:>6d}{share}"


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "-"


def _count(items: Iterable[Examined], is_one: Callable[[Examined], bool]) -> int:
    return sum(map(is_one, items))
