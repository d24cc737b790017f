"""What a run is fixed to, by what was asked for and by what somebody chose."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nb2prod.execution.conditions import conditions_for, environment_of, seed_of
from nb2prod.execution.models import Conditions
from tests.helpers.gallery import make_record

PROCESSORS = len(os.sched_getaffinity(0))


def fixed(environment: dict[str, str], cgroups: Path = Path("/nowhere")) -> Conditions:
    return conditions_for(make_record("condrunaaaaa"), environment, cgroups=cgroups)


def test_conditions_where_nothing_is_chosen_are_the_same_on_each_machine() -> None:
    conditions = fixed({})

    assert replace(conditions, seed=0) == Conditions(
        seed=0, hash_seed="0", threads=PROCESSORS, time_zone="UTC", locale="C.UTF-8"
    )
    assert environment_of(conditions, {}) == {
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "LC_CTYPE": "C.UTF-8",
    }


def test_conditions_that_somebody_chose_stay() -> None:
    chosen = {
        "PYTHONHASHSEED": "7",
        "TZ": "Europe/Berlin",
        "LANG": "de_DE.UTF-8",
        "OMP_NUM_THREADS": "3,1",
    }

    conditions = fixed(chosen)

    assert (conditions.hash_seed, conditions.time_zone) == ("7", "Europe/Berlin")
    assert (conditions.locale, conditions.threads) == ("de_DE.UTF-8", 3)
    assert environment_of(conditions, chosen) == {"PYTHONHASHSEED": "7", "TZ": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("environment", "locale"),
    [
        ({"LANG": "C"}, "C.UTF-8"),
        ({"LC_CTYPE": "POSIX", "LANG": "de_DE.UTF-8"}, "C.UTF-8"),
        ({"LC_ALL": "C"}, "C"),
        ({"LC_ALL": "fr_FR.UTF-8", "LANG": "C"}, "fr_FR.UTF-8"),
    ],
)
def test_locale_is_the_one_that_counts(environment: dict[str, str], locale: str) -> None:
    assert fixed(environment).locale == locale


@pytest.mark.parametrize("value", ["random", "", "-1", str(2**32)])
def test_hash_seed_that_is_no_number_of_python_s_is_not_taken(value: str) -> None:
    assert fixed({"PYTHONHASHSEED": value}).hash_seed == "0"


@pytest.mark.parametrize(
    ("files", "threads"),
    [
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, PROCESSORS),
        ({"cpu.max": "99900000 100000\n"}, PROCESSORS),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, PROCESSORS),
        ({"cpu.max": "nonsense\n"}, PROCESSORS),
    ],
)
def test_no_more_threads_than_a_container_may_use(
    tmp_path: Path, files: dict[str, str], threads: int
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    conditions = fixed({}, tmp_path)

    assert conditions.threads == threads
    told = environment_of(conditions, {}).get("OMP_NUM_THREADS")
    assert told == (None if threads == PROCESSORS else str(threads))


def test_seed_is_one_for_the_same_values_and_another_for_others() -> None:
    seeds = [seed_of("train", {"alpha": alpha, "market": "JFK"}) for alpha in range(100)]

    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of("train", {"market": "JFK", "alpha": 3}) == seeds[3]
    assert seed_of("score", {"market": "JFK", "alpha": 3}) != seeds[3]
    assert seed_of("train", {"market": "\ud800"}) >= 0
