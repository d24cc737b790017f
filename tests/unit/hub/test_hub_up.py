"""``nb2prod up``: what needs no workspace."""

from __future__ import annotations

import signal

import pytest
from nb2prod_hub.up import Interruption


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interruption_that_python_swallows_ends_the_next_wait() -> None:
    interruption = Interruption()
    interruption.require_none()

    class Swallowing:
        def __del__(self) -> None:
            interruption.interrupt(signal.SIGINT, None)

    former = Swallowing()
    del former

    with pytest.raises(KeyboardInterrupt):
        interruption.require_none()
