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

# %% tags=["nb2prod-support"]
_nb2prod_timers = []


def _nb2prod_start_timer():
    """Begin to measure time."""
    import os
    import time

    _nb2prod_timers.append((time.perf_counter(), os.times()))


def _nb2prod_stop_timer():
    """Print the time since the last start."""
    import os
    import time

    start, before = _nb2prod_timers.pop()
    wall, now = time.perf_counter() - start, os.times()
    user, system = now.user - before.user, now.system - before.system
    times = [_nb2prod_duration(part) for part in (user, system, user + system)]
    print("CPU times: user {}, sys: {}, total: {}".format(*times))
    print(f"Wall time: {_nb2prod_duration(wall)}")


def _nb2prod_duration(seconds):
    """Write a time as people read it: 1.5 ms, 2min 3s."""
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}h " * bool(hours) + f"{minutes}min {rest}s"
    for unit, factor in (("s", 1), ("ms", 1e3), ("μs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _nb2prod_text(value):
    """Return the text by which a notebook shows a value."""
    import sys

    kind = type(value)
    builtin = ("builtins", "collections", "functools", "re", "types")
    is_plain = "__repr__" in vars(kind) and kind.__module__ not in builtin
    if kind in (bool, int, str) or (is_plain and not hasattr(kind, "_repr_pretty_")):
        return repr(value)
    if kind is float and "IPython.lib.pretty" not in sys.modules:
        return repr(value)
    try:
        from IPython.lib.pretty import pretty
    except ImportError:
        return repr(value)
    return pretty(value)


def _nb2prod_show(*values):
    """Print the value of a cell's last expression, as a notebook shows it."""
    import sys

    value = values if len(values) > 1 else values[0]
    if value is None:
        return
    if "get_ipython" in globals():
        display(value)
    elif sys.displayhook is not sys.__displayhook__:
        # Some packages print in a way of their own, as sympy's init_printing() asks for.
        sys.displayhook(value)
    else:
        print(_nb2prod_text(value))


if "get_ipython" not in globals():

    def display(*objects, **_options):
        """Print what a notebook would show."""
        for shown in objects:
            print(_nb2prod_text(shown))

# %%
# [nb2prod] %time total = sum(range(1000))
_nb2prod_start_timer()
total = sum(range(1000))
_nb2prod_stop_timer()
# [/nb2prod]
_nb2prod_show(total)

# %%
# [nb2prod] %%time
_nb2prod_start_timer()
# [/nb2prod]
squares = [n * n for n in range(5)]
_nb2prod_show(squares[-1])
# [nb2prod+]
_nb2prod_stop_timer()
# [/nb2prod]
