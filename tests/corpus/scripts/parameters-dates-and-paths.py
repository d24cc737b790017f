# ---
# jupyter:
#   jupytext:
#     comment_magics: false
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% tags=["nb2prod-environment"]
# A notebook imports where it needs to.
# ruff: noqa: E402, RUF100

# /// script
# dependencies = []
# ///

# %% tags=["parameters"]
from datetime import date, datetime
from pathlib import Path
from typing import Literal

day: date = date(2024, 2, 29)
at: datetime = datetime(2024, 2, 29, 12, 30)
folder: Path = Path("data")
mode: Literal["fast", "full"] = "fast"

# %% tags=["nb2prod-options"]
def _nb2prod_options():
    """Read the parameters that are given on the command line."""
    import argparse
    import datetime
    import pathlib

    def date(text):
        return datetime.date.fromisoformat(text)

    def date_time(text):
        return datetime.datetime.fromisoformat(text)

    parser = argparse.ArgumentParser(
        description="parameters-dates-and-paths",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--day",
        dest="day",
        type=date,
        metavar="YYYY-MM-DD",
        help="(date, default: 2024-02-29)",
    )
    parser.add_argument(
        "--at",
        dest="at",
        type=date_time,
        metavar="YYYY-MM-DDTHH:MM",
        help="(datetime, default: 2024-02-29T12:30:00)",
    )
    parser.add_argument(
        "--folder",
        dest="folder",
        type=pathlib.Path,
        metavar="PATH",
        help="(path, default: data)",
    )
    parser.add_argument(
        "--mode",
        dest="mode",
        type=str,
        metavar="CHOICE",
        choices=["fast", "full"],
        help="(Literal[\"fast\", \"full\"], default: \"fast\")",
    )
    return vars(parser.parse_args())


if __name__ == "__main__" and "get_ipython" not in globals():
    globals().update(_nb2prod_options())

# %%
print(day.isoformat(), at.hour, folder / "x.csv", mode)
