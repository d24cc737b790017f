"""What is fixed around a run before its kernel starts: seeds, threads, time zone, locale.

A seed comes from the pipeline and its values, so that the same run draws the same numbers again,
and that a sweep over ``replicate`` draws others in each. Everything else is what somebody chose in
the environment, and else the same on each machine.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from nb2prod.execution.memory import CGROUPS
from nb2prod.execution.models import Conditions, RunRecord

# What OpenMP, OpenBLAS, MKL and numexpr ask for how many threads to take.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LOCALE = "C.UTF-8"
_TIME_ZONE = "UTC"
_HASH_SEED = "0"
_MAX_HASH_SEED = 2**32 - 1


def conditions_for(
    record: RunRecord, environment: Mapping[str, str], *, cgroups: Path = CGROUPS
) -> Conditions:
    """Return what a run is fixed to.

    Parameters
    ----------
    record
        The run, as it was asked for.
    environment
        What the kernel would have without us; what is chosen there stays.
    cgroups
        Where the control groups are mounted.
    """
    chosen = environment.get("PYTHONHASHSEED", "")
    is_chosen = chosen.isdecimal() and int(chosen) <= _MAX_HASH_SEED
    return Conditions(
        seed=seed_of(record.pipeline, record.parameters),
        hash_seed=chosen if is_chosen else _HASH_SEED,
        threads=_threads(environment, cgroups),
        time_zone=environment.get("TZ") or _TIME_ZONE,
        locale=_locale(environment),
    )


def environment_of(conditions: Conditions, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a kernel needs besides, to be under some conditions.

    The number of threads is written down only where libraries would take another: joblib divides
    the processors among its workers, and stops doing so where the number is given.

    Examples
    --------
    >>> fixed = Conditions(seed=7, hash_seed="0", threads=1, time_zone="UTC", locale="C.UTF-8")
    >>> sorted(environment_of(fixed, {"OMP_NUM_THREADS": "1", "LANG": "C"}))
    ['LC_CTYPE', 'PYTHONHASHSEED', 'TZ']
    """
    added = {"PYTHONHASHSEED": conditions.hash_seed, "TZ": conditions.time_zone}
    if conditions.locale != _chosen_locale(environment):
        # Services often run in the locale "C", in which R takes a text with an umlaut for another
        # one. Python helps itself in the same way (PEP 538).
        added["LC_CTYPE"] = conditions.locale
    if conditions.threads != _taken(environment):
        added |= dict.fromkeys(_THREADS, str(conditions.threads))
    return added


def seed_of(pipeline: str, parameters: Mapping[str, object]) -> int:
    """Return the seed of a run, from 0 to 2^31 - 1.

    >>> seed_of("train", {"alpha": 0.1}) == seed_of("train", {"alpha": 0.1})
    True
    """
    values = json.dumps(parameters, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{pipeline}\n{values}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:4]) >> 1


def _locale(environment: Mapping[str, str]) -> str:
    chosen = _chosen_locale(environment)
    is_kept = bool(environment.get("LC_ALL")) or chosen not in ("", "C", "POSIX")
    return chosen if is_kept else _LOCALE


def _chosen_locale(environment: Mapping[str, str]) -> str:
    # In this order, locale(7).
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    return next((environment[name] for name in names if environment.get(name)), "")


def _threads(environment: Mapping[str, str], cgroups: Path) -> int:
    taken, allowed = _taken(environment), _allowed(cgroups)
    return taken if allowed is None or _chosen_threads(environment) else min(taken, allowed)


def _taken(environment: Mapping[str, str]) -> int:
    """Return how many threads libraries take by themselves."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return _chosen_threads(environment) or processors


def _chosen_threads(environment: Mapping[str, str]) -> int:
    # A list is for parallel regions within parallel regions (OpenMP 5.2, 21.1.2).
    outermost = environment.get(_THREADS[0], "").partition(",")[0].strip()
    return int(outermost) if outermost.isdecimal() else 0


def _allowed(cgroups: Path) -> int | None:
    """Return how many processors' time a control group may use; `None` where it has no limit."""
    try:
        if (cgroups / "cpu").is_dir():
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = ((cgroups / "cpu" / name).read_text("ascii") for name in names)
        else:
            quota, period = (cgroups / "cpu.max").read_text("ascii").split()
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
