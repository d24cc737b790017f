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
_nb2prod_captures = []


def _nb2prod_start_capture(stdout=True, stderr=True):
    """Keep what is printed from here on to ourselves."""
    import io
    import sys

    def show_error(*error):
        # A traceback must be seen, though nothing else is.
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        hook(*error)

    hook, sys.excepthook = sys.excepthook, show_error
    _nb2prod_captures.append((sys.stdout, sys.stderr, hook))
    if stdout:
        sys.stdout = io.StringIO()
    if stderr:
        sys.stderr = io.StringIO()


def _nb2prod_stop_capture():
    """Print again, and return what was kept."""
    import io
    import sys
    import types

    kept = [
        stream.getvalue() if isinstance(stream, io.StringIO) else ""
        for stream in (sys.stdout, sys.stderr)
    ]
    sys.stdout, sys.stderr, sys.excepthook = _nb2prod_captures.pop()
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")

    def show():
        sys.stdout.write(kept[0])
        sys.stderr.write(kept[1])

    return types.SimpleNamespace(stdout=kept[0], stderr=kept[1], outputs=[], show=show)


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
# [nb2prod] %%capture kept
_nb2prod_start_capture()
# [/nb2prod]
print("hidden")
# [nb2prod+]
kept = _nb2prod_stop_capture()
# [/nb2prod]

# %%
_nb2prod_show(kept.stdout)

# %%
# [nb2prod] %%capture
_nb2prod_start_capture()
# [/nb2prod]
print("gone")
# [nb2prod+]
_nb2prod_stop_capture()
# [/nb2prod]
