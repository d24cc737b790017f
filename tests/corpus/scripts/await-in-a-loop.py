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

# %%
import asyncio

# [nb2prod] for delay in (0, 0.001):
# [nb2prod]     await asyncio.sleep(delay)
# [nb2prod]     print("slept")
async def _nb2prod_cell():
    global delay
    for delay in (0, 0.001):
        await asyncio.sleep(delay)
        print("slept")
_nb2prod_await(_nb2prod_cell)
# [/nb2prod]
