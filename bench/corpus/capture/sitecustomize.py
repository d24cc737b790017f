"""What makes two runs comparable: the same random numbers, and a script's figures kept.

On the path of the kernels and scripts that are compared; nothing imports it by name. A figure is
shown where its text stands alone on a line; just then it is drawn to a file, as the notebook's own
backend draws it.
"""

# mypy: ignore-errors

import importlib.abc
import importlib.util
import io
import os
import random
import re
import sys
from pathlib import Path

_FIGURE = re.compile(r"<Figure size \S+ with \d+ Axes>")


class _AfterImport(importlib.abc.MetaPathFinder):
    """Does something with a module just after it was imported for the first time."""

    def __init__(self, actions):
        self.actions = actions

    def find_spec(self, name, path=None, target=None):
        action = self.actions.pop(name, None)
        if action is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_act(module):
            execute(module)
            action(module)

        spec.loader.exec_module = execute_and_act
        return spec


def seed_numpy(module):
    """Let the author's unseeded random numbers be the same in both runs."""
    module.seed(0)
    default_rng = module.default_rng

    def seeded_rng(seed=None):
        return default_rng(0 if seed is None else seed)

    module.default_rng = seeded_rng


class _Figures:
    """Draws the figures that a script shows, to files in a folder."""

    def __init__(self, folder, write):
        self.folder = folder
        self.original_write = write
        self.count = 0
        self.last = None

    def watch(self, module):
        original = module.Figure.__repr__

        def remembered(figure):
            self.last = figure
            return original(figure)

        module.Figure.__repr__ = remembered

    def write(self, text):
        if _FIGURE.fullmatch(text.strip()) and self.last is not None:
            self.draw(self.last)
            self.last = None
        return self.original_write(text)

    def draw(self, figure):
        content = io.BytesIO()
        figure.canvas.print_figure(
            content,
            format="png",
            facecolor=figure.get_facecolor(),
            edgecolor=figure.get_edgecolor(),
            dpi=figure.dpi,
            bbox_inches="tight",
        )
        (self.folder / f"{self.count:04d}.png").write_bytes(content.getvalue())
        self.count += 1


def _start():
    random.seed(0)
    actions = {"numpy.random": seed_numpy}
    # Not in the programs that a script starts: they show nothing of the notebook's.
    folder = os.environ.pop("NB2PROD_CORPUS_FIGURES", "")
    if folder:
        figures = _Figures(Path(folder), sys.stdout.write)
        sys.stdout.write = figures.write
        actions["matplotlib.figure"] = figures.watch
    sys.meta_path.insert(0, _AfterImport(actions))


_start()
