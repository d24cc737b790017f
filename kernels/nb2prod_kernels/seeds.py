"""Seeds: source that is sent into a Python kernel with the probe, and plants a run's seed.

Python's own generator is seeded at once, those of numpy and torch as soon as they are imported;
what imports none of them pays for none. As the probe's, this text needs nothing but the standard
library (Python 3.8 and later).

What asks the system for randomness is not touched: `secrets`, `os.urandom`, `uuid`,
`random.SystemRandom`, an unseeded `random.Random()`. Nor are processes that a notebook starts:
what one that it forks imports is not seeded, and numpy's unseeded generators (`default_rng()`)
begin there with the system's randomness again, since brothers that draw the same numbers would be
worse than ones that can't be repeated.
"""

from __future__ import annotations

import os
import sys

if False:  # for type checkers only; the kernel's Python may be older than these names
    from collections.abc import Callable
    from typing import Any


class Seeds:
    """Plants a seed in each library that draws random numbers.

    Parameters
    ----------
    seed
        From 0 to 2^31 - 1: the range that all of them take.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._process = os.getpid()

    def patches(self, tell: Callable[[dict[str, Any]], None]) -> dict[str, Callable[[Any], None]]:
        """Return what to do with a module once it is loaded, by the module's name.

        Parameters
        ----------
        tell
            Is given ``{"seeded": library}`` for each library that was seeded.
        """
        planters = {
            "random": ("random", self._seed_random),
            "numpy.random": ("numpy", self._seed_numpy),
            "torch": ("torch", self._seed_torch),
        }

        def planted(library: str, plant: Callable[[Any], None]) -> Callable[[Any], None]:
            def patch(module: Any) -> None:
                if os.getpid() == self._process:
                    plant(module)
                    tell({"seeded": library})

            return patch

        return {name: planted(*planter) for name, planter in planters.items()}

    def _seed_random(self, module: Any) -> None:
        module.seed(self._seed)

    def _seed_numpy(self, module: Any) -> None:
        module.seed(self._seed)
        # `default_rng()`, `RandomState()` and others take their beginning from this function of
        # `SeedSequence` where nobody gives a seed.
        sequences: Any = sys.modules["numpy.random.bit_generator"]
        entropy = getattr(sequences, "randbits", None)
        if entropy is None:
            return
        import random

        sequences.randbits = random.Random(self._seed).getrandbits  # noqa: S311
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: setattr(sequences, "randbits", entropy))

    def _seed_torch(self, module: Any) -> None:
        module.manual_seed(self._seed)


def text() -> str:
    """Return the text of this module, which makes the name `Seeds` where it is executed."""
    with open(__file__, encoding="utf-8") as stream:  # noqa: PTH123
        return stream.read()
