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
market: str = "JFK-DL"  # the market's name
alpha: float = 0.5  # penalty, from 0 to 1
days: int = 14
dry_run: bool = False
columns: list[str] = ["price", "load"]

# %% tags=["nb2prod-options"]
def _nb2prod_options():
    """Read the parameters that are given on the command line."""
    import argparse
    import json

    def json_value(kind, *items, convert=None, choices=()):
        def read(text):
            value = json.loads(text)
            is_kind = isinstance(value, kind)
            if not is_kind or (items and not all(type(item) in items for item in value)):
                raise ValueError(text)
            for item in value if choices else ():
                if item not in choices:
                    raise argparse.ArgumentTypeError(f"{item!r} is not in {choices}")
            return [convert(item) for item in value] if convert else value

        read.__name__ = f"JSON {kind.__name__}"
        return read

    parser = argparse.ArgumentParser(
        description="parameters-typed",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--market",
        dest="market",
        type=str,
        metavar="VALUE",
        help="the market's name (str, default: \"JFK-DL\")",
    )
    parser.add_argument(
        "--alpha",
        dest="alpha",
        type=float,
        metavar="VALUE",
        help="penalty, from 0 to 1 (float, default: 0.5)",
    )
    parser.add_argument(
        "--days",
        dest="days",
        type=int,
        metavar="VALUE",
        help="(int, default: 14)",
    )
    parser.add_argument(
        "--dry-run",
        dest="dry_run",
        action=argparse.BooleanOptionalAction,
        help="(bool, default: False)",
    )
    parser.add_argument(
        "--columns",
        dest="columns",
        type=json_value(list, str),
        metavar="JSON",
        help="(list[str], default: [\"price\", \"load\"])",
    )
    return vars(parser.parse_args())


if __name__ == "__main__" and "get_ipython" not in globals():
    globals().update(_nb2prod_options())

# %%
print(market, alpha, days, dry_run, columns)
