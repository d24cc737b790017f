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
_nb2prod_loops = []


def _nb2prod_await(function):
    """Run an async function to its end, always on the same event loop."""
    import asyncio
    import concurrent.futures

    if not _nb2prod_loops:
        _nb2prod_loops.append(asyncio.new_event_loop())
    loop = _nb2prod_loops[0]
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return loop.run_until_complete(function())
    # Opened as a notebook, whose own loop runs in this thread.
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        return threads.submit(loop.run_until_complete, function()).result()


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
import asyncio

async def fetch(n):
    await asyncio.sleep(0)
    return n * 2

# [nb2prod] await fetch(4)
async def _nb2prod_cell():
    _nb2prod_show(await fetch(4))
_nb2prod_await(_nb2prod_cell)
# [/nb2prod]

# %%
# [nb2prod] results = await asyncio.gather(fetch(1), fetch(2))
async def _nb2prod_cell():
    global results
    results = await asyncio.gather(fetch(1), fetch(2))
_nb2prod_await(_nb2prod_cell)
# [/nb2prod]
_nb2prod_show(results)

# %%
async def count():
    for n in range(3):
        yield n

# [nb2prod] [n async for n in count()]
async def _nb2prod_cell():
    _nb2prod_show([n async for n in count()])
_nb2prod_await(_nb2prod_cell)
# [/nb2prod]
