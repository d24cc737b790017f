"""How many runs a schedule's times ask for, and what a look at its data makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from nb2prod.jobs.changed_inputs import Look
from nb2prod.jobs.cron import read_cron
from nb2prod.jobs.due_runs import GRACE, MAX_MISSED_RUNS, Plan, by_look, due_times
from nb2prod.jobs.schedule_models import Missed, Seen

DAILY = read_cron("0 2 * * *", "Europe/Berlin")
MINUTELY = read_cron("* * * * *", "UTC")
# Two o'clock in Berlin, in winter.
TWO = datetime(2026, 1, 10, 1, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
SKIP, ONCE, ALL = Missed


@pytest.mark.parametrize(
    ("since", "now", "missed", "count"),
    [
        pytest.param(TWO - HOUR, TWO - SECOND, ONCE, 0, id="not-yet"),
        *(pytest.param(TWO - HOUR, TWO, rule, 1, id=f"on-time-{rule}") for rule in Missed),
        *(
            pytest.param(TWO - HOUR, TWO + GRACE - SECOND, rule, 1, id=f"in-grace-{rule}")
            for rule in Missed
        ),
        pytest.param(TWO - HOUR, TWO + GRACE, SKIP, 0, id="late-skip"),
        pytest.param(TWO - HOUR, TWO + GRACE, ONCE, 1, id="late-once"),
        pytest.param(TWO - HOUR, TWO + 6 * HOUR, SKIP, 0, id="missed-skip"),
        pytest.param(TWO - HOUR, TWO + 6 * HOUR, ONCE, 1, id="missed-once"),
        pytest.param(TWO - HOUR, TWO + 6 * HOUR, ALL, 1, id="missed-all"),
        pytest.param(TWO - HOUR, TWO + 3 * DAY + HOUR, SKIP, 0, id="missed-four-skip"),
        pytest.param(TWO - HOUR, TWO + 3 * DAY + HOUR, ONCE, 1, id="missed-four-once"),
        pytest.param(TWO - HOUR, TWO + 3 * DAY + HOUR, ALL, 4, id="missed-four-all"),
        pytest.param(TWO - HOUR, TWO + 3 * DAY, SKIP, 1, id="missed-three-and-one-on-time-skip"),
        pytest.param(TWO - HOUR, TWO + 3 * DAY, ONCE, 1, id="missed-three-and-one-on-time-once"),
        pytest.param(TWO - HOUR, TWO + 3 * DAY, ALL, 4, id="missed-three-and-one-on-time-all"),
        pytest.param(TWO, TWO + HOUR, ALL, 0, id="settled-up-to-its-very-time"),
        pytest.param(TWO + SECOND, TWO + HOUR, ALL, 0, id="settled-already"),
        pytest.param(TWO + HOUR, TWO - HOUR, ALL, 0, id="clock-went-back"),
        pytest.param(TWO - HOUR, TWO + 200 * DAY, ALL, MAX_MISSED_RUNS, id="not-more-than-so-many"),
    ],
)
def test_times_ask_for_runs(since: datetime, now: datetime, missed: Missed, count: int) -> None:
    assert due_times(DAILY, missed, since=since, now=now).count == count


@pytest.mark.parametrize("missed", Missed)
def test_minutes_are_each_on_time_once(missed: Missed) -> None:
    # Looked at each second, and for once not for half a minute.
    looks = [TWO + SECOND * second for second in range(600) if not 200 <= second < 230]

    counts = [
        due_times(MINUTELY, missed, since=since, now=now).count for since, now in pairwise(looks)
    ]

    assert sum(counts) == 9
    assert set(counts) == {0, 1}


def test_skipped_time_is_said() -> None:
    times = due_times(DAILY, SKIP, since=TWO - HOUR, now=TWO + HOUR)

    assert times.remark.startswith("It was due at 2026-01-10 02:00 CET")


def test_too_many_missed_times_are_said() -> None:
    times = due_times(MINUTELY, ALL, since=TWO, now=TWO + 2 * HOUR)

    assert times.count == 100
    assert "More than 100 times" in times.remark


def test_no_time_asks_for_nothing() -> None:
    assert due_times(None, ALL, since=TWO - DAY, now=TWO).count == 0


Hashes = dict[str, str | None]
OLD: Hashes = {"a": "1"}
NEW: Hashes = {"a": "2"}
GONE: Hashes = {"a": None}


@pytest.mark.parametrize(
    ("seen", "look", "count", "after"),
    [
        pytest.param(Seen(), NEW, 0, Seen(used=NEW, looked=NEW), id="first-look-remembers"),
        pytest.param(Seen(), GONE, 0, Seen(used=GONE, looked=GONE), id="first-look-finds-nothing"),
        pytest.param(
            Seen(used=OLD, looked=OLD), OLD, 0, Seen(used=OLD, looked=OLD), id="as-it-was"
        ),
        pytest.param(
            Seen(used=OLD, looked=OLD),
            NEW,
            0,
            Seen(used=OLD, looked=NEW, is_due=True),
            id="changed-may-be-half-written",
        ),
        pytest.param(
            Seen(used=OLD, looked=NEW, is_due=True),
            NEW,
            1,
            Seen(used=NEW, looked=NEW),
            id="changed-and-whole",
        ),
        pytest.param(
            Seen(used=OLD, looked=NEW, is_due=True),
            {"a": "3"},
            0,
            Seen(used=OLD, looked={"a": "3"}, is_due=True),
            id="changed-again",
        ),
        pytest.param(
            Seen(used=OLD, looked=NEW, is_due=True),
            OLD,
            0,
            Seen(used=OLD, looked=OLD),
            id="changed-back",
        ),
        pytest.param(
            Seen(used=OLD, looked=OLD), GONE, 0, Seen(used=OLD, looked=GONE), id="gone-is-no-run"
        ),
        pytest.param(
            Seen(used=GONE, looked=GONE),
            NEW,
            0,
            Seen(used=GONE, looked=NEW, is_due=True),
            id="came-into-being",
        ),
    ],
)
def test_look_at_data_makes_a_run_of_what_has_changed(
    seen: Seen, look: Hashes, count: int, after: Seen
) -> None:
    later = TWO + 30 * SECOND
    plan = Plan(count=1, next_at=TWO + DAY, last_at=TWO, last_error=None, seen=seen)
    trouble = "It is not there." if None in look.values() else ""

    found = by_look(plan, Look(hashes=look, trouble=trouble), later=later)

    assert (found.count, found.seen) == (count, after)
    assert found.next_at == (later if after.is_due else TWO + DAY)
    assert found.last_error == (trouble or None)


def test_error_stays_while_data_is_as_it_was_and_goes_when_it_is_back() -> None:
    plan = Plan(
        count=1, next_at=TWO, last_at=TWO, last_error="why", seen=Seen(used=OLD, looked=OLD)
    )
    back = Plan(
        count=1, next_at=TWO, last_at=TWO, last_error="gone", seen=Seen(used=OLD, looked=GONE)
    )

    assert by_look(plan, Look(hashes=OLD), later=TWO).last_error == "why"
    assert by_look(back, Look(hashes=OLD), later=TWO).last_error is None


def test_what_was_seen_survives_its_row() -> None:
    seen = Seen(used=OLD, looked=GONE, is_due=True)

    assert Seen.read(seen.to_json()) == seen
    assert Seen.read({}) == Seen()
