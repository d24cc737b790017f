"""When something is due: five fields, aliases, time zones, and the two odd nights of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from nb2prod.errors import ScheduleInvalid
from nb2prod.jobs.cron import ALIASES, known_zone, read_cron, read_zone, zone_names

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
# In 2026 clocks change on 29 March and 25 October there, on 8 March and 1 November here.
NIGHTS = {
    (BERLIN, "spring"): (datetime(2026, 3, 28, 12, tzinfo=UTC), "2026-03-29"),
    (BERLIN, "autumn"): (datetime(2026, 10, 24, 12, tzinfo=UTC), "2026-10-25"),
    (NEW_YORK, "spring"): (datetime(2026, 3, 7, 17, tzinfo=UTC), "2026-03-08"),
    (NEW_YORK, "autumn"): (datetime(2026, 10, 31, 16, tzinfo=UTC), "2026-11-01"),
}


def times_of_the_night(expression: str, zone: str, season: str) -> list[str]:
    """The times of the day of the change before four o'clock, as the clock shows them."""
    moment, day = NIGHTS[zone, season]
    cron = read_cron(expression, zone)
    local = (
        time.astimezone(cron.zone) for time in cron.between(moment, moment + timedelta(days=1))
    )
    return [f"{time:%H:%M%z}" for time in local if f"{time:%F}" == day and time.hour < 4]


@pytest.mark.parametrize(
    ("expression", "zone", "season", "expected"),
    [
        pytest.param("30 2 * * *", BERLIN, "spring", ["03:00+0200"], id="skipped-after-the-gap"),
        pytest.param("30 2 * * *", NEW_YORK, "spring", ["03:00-0400"], id="skipped-new-york"),
        pytest.param("0,30 2 * * *", BERLIN, "spring", ["03:00+0200"], id="skipped-twice-once"),
        pytest.param(
            "30 1,3 * * *", BERLIN, "spring", ["01:30+0100", "03:30+0200"], id="around-the-gap"
        ),
        pytest.param("30 2 * * *", BERLIN, "autumn", ["02:30+0200"], id="first-of-two"),
        pytest.param("30 1 * * *", NEW_YORK, "autumn", ["01:30-0400"], id="first-of-two-new-york"),
        pytest.param(
            "0 * * * *",
            BERLIN,
            "spring",
            ["00:00+0100", "01:00+0100", "03:00+0200"],
            id="hourly-leaves-out-the-gap",
        ),
        pytest.param(
            "0 * * * *",
            NEW_YORK,
            "autumn",
            ["00:00-0400", "01:00-0400", "01:00-0500", "02:00-0500", "03:00-0500"],
            id="hourly-goes-on-in-real-time",
        ),
        pytest.param(
            "*/30 2 * * *",
            BERLIN,
            "autumn",
            ["02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100"],
            id="distance-in-the-hour-that-comes-twice",
        ),
        pytest.param("@daily", NEW_YORK, "spring", ["00:00-0500"], id="alias"),
    ],
)
def test_times_of_the_night_of_a_change(
    expression: str, zone: str, season: str, expected: list[str]
) -> None:
    assert times_of_the_night(expression, zone, season) == expected


@pytest.mark.parametrize(
    "zone", [BERLIN, NEW_YORK, "America/Havana", "Africa/Cairo", "America/Santiago"]
)
@pytest.mark.parametrize("expression", ["30 2 * * *", "15,45 1,2 * * *", "0 */3 * * *", "@daily"])
def test_times_are_the_same_from_wherever_one_asks(expression: str, zone: str) -> None:
    cron = read_cron(expression, zone)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    all_times = list(cron.between(start, start + timedelta(days=330)))
    # From hour to hour in the two days around each change of the clock.
    changes = [
        before
        for before, after in pairwise(all_times)
        if before.astimezone(cron.zone).utcoffset() != after.astimezone(cron.zone).utcoffset()
    ]
    assert changes

    assert all_times == sorted(set(all_times))
    for change in changes:
        for minutes in range(-300, 300, 7):
            moment = change + timedelta(minutes=minutes)
            expected = [time for time in all_times if time > moment][:3]
            assert list(islice(cron.after(moment), 3)) == expected


def test_upcoming_times_are_in_the_zone() -> None:
    cron = read_cron("30 6 * * 1-5", BERLIN)

    found = cron.upcoming(datetime(2026, 10, 23, 12, tzinfo=UTC), 2)

    assert [time.isoformat() for time in found] == [
        "2026-10-26T06:30:00+01:00",
        "2026-10-27T06:30:00+01:00",
    ]


def test_either_day_suffices_where_both_are_said() -> None:
    cron = read_cron("0 0 13 * FRI", "UTC")

    found = cron.upcoming(datetime(2026, 11, 1, tzinfo=UTC), 3)

    assert [f"{time:%a %d}" for time in found] == ["Fri 06", "Fri 13", "Fri 20"]


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_has_times_and_words(alias: str) -> None:
    cron = read_cron(alias.upper(), "UTC")

    assert cron.text == alias
    assert cron.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is not None
    assert cron.words


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 2,4,6,9,11 *", "never comes"),
        ("0 0 */30 * 1#3", "never comes"),
        ("* * * * * *", "once a minute at most"),
        ("60 * * * *", "look at its minute"),
        ("0 24 * * *", "look at its hour"),
        ("0 0 32 * *", "look at its day of month"),
        ("0 0 30 13 *", "look at its month"),
        ("0 0 * * 8", "look at its day of week"),
        ("0 0 30 2 8", "look at its day of week"),
        ("0 0 ½ * *", "look at its day of month"),
        ("* *", "can't be understood"),
        ("", "An empty time"),
        ("@reboot", "is no time"),
        ("tomorrow", "can't be understood"),
        ("0 " * 5 + "0 0", "can't be understood"),
        (",".join(["0"] * 200) + " * * * *", "can't be understood"),
    ],
)
def test_expression_that_means_nothing_is_refused(expression: str, said: str) -> None:
    with pytest.raises(ScheduleInvalid, match=said):
        read_cron(expression, "UTC")


def test_leap_day_is_no_day_that_never_comes() -> None:
    found = read_cron("0 0 29 2 *", "UTC").next_after(datetime(2026, 3, 1, tzinfo=UTC))

    assert found == datetime(2028, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Berlin", "Did you mean Europe/Berlin?"),
        ("europe/berlin", "Did you mean Europe/Berlin?"),
        ("America/Newyork", "Did you mean America/New_York?"),
        ("New York", "Did you mean America/New_York?"),
        ("CEST", "Write its IANA name"),
        ("../../etc/localtime", "Write its IANA name"),
        ("", "Write its IANA name"),
        ("\0", "Write its IANA name"),
    ],
)
def test_zone_that_is_none_is_refused_with_a_near_one(name: str, hint: str) -> None:
    with pytest.raises(ScheduleInvalid) as caught:
        read_zone(name)

    assert hint in caught.value.message


def test_zone_that_is_gone_from_the_machine_is_said() -> None:
    with pytest.raises(ScheduleInvalid, match="on this machine"):
        known_zone("Europe/Atlantis")


def test_every_zone_can_be_read() -> None:
    assert {BERLIN, NEW_YORK, "UTC"} <= set(zone_names())
    assert all(read_zone(name).key == name for name in zone_names())
