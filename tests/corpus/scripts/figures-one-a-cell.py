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
# dependencies = [
#     "matplotlib",
# ]
# ///

# %% tags=["nb2prod-support"]
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


_nb2prod_figure_numbers = []


def _nb2prod_figures(*_arguments, **_options):
    """Show the figures that are open, and close them, as a notebook does after each cell.

    Each is named in a line of text; where NB2PROD_FIGURES names a folder, it is saved there.
    """
    import os
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or "get_ipython" in globals():
        return
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        print(repr(figure))
        folder = os.environ.get("NB2PROD_FIGURES")
        if folder:
            os.makedirs(folder, exist_ok=True)
            _nb2prod_figure_numbers.append(number)
            path = os.path.join(folder, f"{len(_nb2prod_figure_numbers)}.png")
            colour = figure.get_facecolor()
            figure.savefig(path, bbox_inches="tight", dpi=figure.dpi, facecolor=colour)
    pyplot.close("all")


def _nb2prod_set_up_figures():
    """Draw without a window, unless MPLBACKEND names a way with windows."""
    import os

    backend = os.environ.get("MPLBACKEND", "inline")
    if "get_ipython" in globals():
        return
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        return
    if "inline" in backend:
        plt.switch_backend("agg")
    if plt.get_backend().lower() in ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template"):
        plt.show = _nb2prod_figures


if "get_ipython" not in globals():

    def display(*objects, **_options):
        """Print what a notebook would show."""
        for shown in objects:
            print(_nb2prod_text(shown))


_nb2prod_set_up_figures()

# %%
import matplotlib.pyplot as plt
# [nb2prod] %matplotlib inline
# [/nb2prod] dropped: figures are drawn without a window, and shown as a line of text

_nb2prod_show(plt.plot([1, 4, 9]))
_nb2prod_figures()

# %%
plt.bar(["a", "b"], [3, 5])
plt.title("second");
_nb2prod_figures()

# %%
fig, axes = plt.subplots(1, 2, figsize=(6, 2))
axes[0].hist([1, 1, 2, 3])
axes[1].scatter([1, 2], [2, 1])
_nb2prod_show(plt.tight_layout())
_nb2prod_figures()
