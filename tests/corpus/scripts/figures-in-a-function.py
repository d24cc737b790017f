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


_nb2prod_set_up_figures()

# %%
import matplotlib.pyplot as plt

def draw(values, *, title):
    figure, axis = plt.subplots()
    axis.plot(values)
    axis.set_title(title)

for power in (1, 2):
    draw([n**power for n in range(5)], title=f"power {power}")
    plt.show()
_nb2prod_figures()
