"""When something is due: five fields as in crontab(5), in a time zone.

The rules are Debian cron's, by the package ``cronsim``. At a change of daylight time they are:

* an expression whose minute and hour both begin with no ``*`` means a time on the clock. One that
  the clock skips is due at the first minute after the gap, once; one that the clock shows twice
  is due the first time only;
* any other means a distance. It goes on in real time: what falls into the gap is left out, and
  what falls into the hour that comes twice is due twice.

On Lord Howe Island alone, whose clock changes by half an hour, such a distance may leave out one
time more. Where neither the day of the month nor the day of the week begins with ``*``, one of
them suffices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import islice, takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nb2prod.errors import ScheduleInvalid, ToolMissing

if TYPE_CHECKING:
    from cronsim import CronSim

# As crontab(5) has them; `@reboot` is no time.
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MAX_LENGTH = 200

_FIELDS = 5
_FIELDS_WITH_SECONDS = 6
_HOW = (
    "Write five fields, minute, hour, day of the month, month and day of the week, as in"
    " `30 6 * * 1-5`, or one of " + ", ".join(ALIASES) + "."
)


@dataclass(frozen=True)
class Cron:
    """Times that come again and again; `read_cron` makes one.

    Parameters
    ----------
    text
        As it was written, without needless spaces.
    """

    text: str
    zone: ZoneInfo

    @cached_property
    def words(self) -> str:
        """The expression in plain English.

        >>> read_cron("30 6 * * 1-5", "Europe/Berlin").words
        'At 06:30 on Monday through Friday'
        """
        return self._simulation(datetime.now(UTC)).explain()

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give the times after a moment, in UTC; strictly rising, without end.

        It ends only where it would have to look further than 50 years.

        >>> moment = datetime(2026, 3, 28, 12, tzinfo=UTC)
        >>> times = read_cron("30 2 * * *", "Europe/Berlin").after(moment)
        >>> [str(next(times)) for _ in range(2)]
        ['2026-03-29 01:00:00+00:00', '2026-03-30 00:30:00+00:00']
        """
        last = moment.astimezone(UTC)
        # Asked in the hour that comes twice, cronsim begins with the first of the two.
        for local in self._simulation(last):
            found = local.astimezone(UTC)
            if found > last:
                yield found
                last = found

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; `None` where 50 years have none."""
        return next(self.after(moment), None)

    def upcoming(self, moment: datetime, count: int = 5) -> tuple[datetime, ...]:
        """Return the next times after a moment, in the zone.

        >>> moment = datetime(2026, 10, 24, 12, tzinfo=UTC)
        >>> [str(time) for time in read_cron("@daily", "America/New_York").upcoming(moment, 1)]
        ['2026-10-25 00:00:00-04:00']
        """
        return tuple(time.astimezone(self.zone) for time in islice(self.after(moment), count))

    def between(self, moment: datetime, until: datetime) -> Iterator[datetime]:
        """Give the times after a moment, up to another one and it included, in UTC."""
        return takewhile(lambda time: time <= until, self.after(moment))

    def _simulation(self, moment: datetime) -> CronSim:
        return _simulation(ALIASES.get(self.text, self.text), moment.astimezone(self.zone))


def read_cron(text: str, time_zone: str) -> Cron:
    """Read an expression and the name of a time zone.

    Raises
    ------
    ScheduleInvalid
        The expression can't be understood, never comes true, or wants more than once a minute;
        there is no such time zone.
    ToolMissing
        The package that understands them is not installed.

    Examples
    --------
    >>> read_cron(" @daily ", "UTC").text
    '@daily'
    """
    words = " ".join(text.split())
    cron = Cron(text=words.lower() if words.startswith("@") else words, zone=read_zone(time_zone))
    expression = ALIASES.get(cron.text, cron.text)
    if cron.text.startswith("@") and cron.text not in ALIASES:
        raise ScheduleInvalid(f"{_shown(text)} is no time. {_HOW}")
    count = len(expression.split())
    if count == _FIELDS_WITH_SECONDS:
        raise ScheduleInvalid(
            f"{_shown(text)} has six fields: a schedule is due once a minute at most, and has no"
            f" seconds. {_HOW}"
        )
    if count != _FIELDS or len(expression) > MAX_LENGTH:
        raise ScheduleInvalid(f"{_shown(text)} can't be understood. {_HOW}")
    _check_comes_true(cron, expression)
    return cron


def read_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; raises `ScheduleInvalid`, with a near name."""
    wanted = name.strip()
    if wanted not in _zones():
        raise ScheduleInvalid(
            f"There is no time zone {wanted[:64]!r}. {_nearest(wanted)}", time_zone=wanted[:64]
        )
    return ZoneInfo(wanted)


def known_zone(name: str) -> ZoneInfo:
    """Return a zone that was checked once; raises `ScheduleInvalid` where it is gone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleInvalid(f"There is no time zone {name!r} on this machine.") from error


def zone_names() -> tuple[str, ...]:
    """Return the names of all time zones, by name."""
    return tuple(sorted(_zones()))


def _check_comes_true(cron: Cron, expression: str) -> None:
    from cronsim import CronSimError

    # A time that every zone has.
    moment = datetime.now(UTC)
    try:
        next(_simulation(expression, moment))
    except StopIteration as error:
        raise _never(cron) from error
    except CronSimError as error:
        if _is_about_short_months(expression, moment):
            raise _never(cron) from error
        field = str(error).removeprefix("Bad ").replace("-", " ")
        raise ScheduleInvalid(
            f"{_shown(cron.text)} can't be understood: look at its {field}. {_HOW}", field=field
        ) from error


def _is_about_short_months(expression: str, moment: datetime) -> bool:
    # cronsim says of the 30th of February only that the day is bad; any month makes it good.
    from cronsim import CronSimError

    fields = expression.split()
    try:
        _simulation(" ".join((*fields[:3], "*", fields[4])), moment)
        _simulation(" ".join(("0 0 1", fields[3], "*")), moment)
    except CronSimError:
        return False
    return True


def _simulation(expression: str, moment: datetime) -> CronSim:
    try:
        from cronsim import CronSim
    except ModuleNotFoundError as error:
        raise ToolMissing(
            "Schedules need one more package, cronsim: `pip install 'nb2prod[schedules]'`."
        ) from error
    return CronSim(expression, moment)


def _never(cron: Cron) -> ScheduleInvalid:
    return ScheduleInvalid(
        f"{_shown(cron.text)} never comes: no month that it names has such a day. Choose another"
        " day or month."
    )


def _shown(text: str) -> str:
    return f"`{' '.join(text.split())[:60]}`" if text.strip() else "An empty time"


@cache
def _zones() -> frozenset[str]:
    from zoneinfo import available_timezones

    return frozenset(available_timezones())


def _nearest(wanted: str) -> str:
    from difflib import get_close_matches

    # People write `berlin`, `europe/berlin`, `Berlin/Europe`; abbreviations are too like others.
    places = [name for name in sorted(_zones()) if "/" in name and not name.startswith("Etc/")]
    names = {name.lower(): name for name in places}
    cities: dict[str, str] = {}
    for name in places:
        cities.setdefault(name.rpartition("/")[2].lower(), name)
    text = wanted.lower().replace(" ", "_")
    for known in (names, cities):
        for part in (text, text.partition("/")[0], text.rpartition("/")[2]):
            found = get_close_matches(part, known, n=1, cutoff=0.8)
            if found:
                return f"Did you mean {known[found[0]]}?"
    return "Write its IANA name, as in Europe/Berlin, America/New_York or UTC."
