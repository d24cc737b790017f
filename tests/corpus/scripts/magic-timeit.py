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
def _nb2prod_timeit(function, number=0, repeat=7):
    """Call a function many times and print how long a call takes."""
    import statistics
    import timeit

    timer = timeit.Timer(function)
    number = number or timer.autorange()[0]
    times = [time / number for time in timer.repeat(repeat, number)]
    mean, deviation = statistics.fmean(times), statistics.pstdev(times)
    print(
        f"{_nb2prod_duration(mean)} ± {_nb2prod_duration(deviation)} per loop"
        f" (mean ± std. dev. of {repeat} run{'s' * (repeat != 1)},"
        f" {number:,} loop{'s' * (number != 1)} each)"
    )


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

# %%
# [nb2prod] %timeit -n 2 -r 1 sum(range(10))
_nb2prod_timeit(lambda: sum(range(10)), number=2, repeat=1)
# [/nb2prod]

# %%
# [nb2prod] %%timeit -n 2 -r 1 data = list(range(10))
# [nb2prod] sorted(data)
def _nb2prod_prepare():
    data = list(range(10))

    def _nb2prod_timed():
        sorted(data)

    return _nb2prod_timed

_nb2prod_timeit(_nb2prod_prepare(), number=2, repeat=1)
# [/nb2prod]

# %%
print("timed")
