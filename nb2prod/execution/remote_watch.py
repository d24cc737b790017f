"""Following a run in a workspace on another machine, whatever breaks in between.

One looks until there is nothing new, then listens to the run's stream of events, and when that
breaks, looks again from the same place. Where there is no stream one only looks.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from nb2prod.errors import Nb2prodError, NotSignedIn, RunNotFound, ServiceUnreachable, Unavailable
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    Event,
    KernelStarted,
    Noted,
    OutputAdded,
    RunEnded,
    RunStarted,
)
from nb2prod.execution.models import CellStatus, RunRecord, RunStatus
from nb2prod.execution.recorder import Listener
from nb2prod.remote.client import ServiceClient
from nb2prod.remote.server_events import Message, read_messages

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 1.0
# A service is started anew within seconds, and a machine within minutes.
PATIENCE_S = 600.0
LONGEST_PAUSE_S = 15.0
# The service says each 15 seconds that it is still there.
QUIET_S = 45.0

Pause = Callable[[float], None]


class RunWatch:
    """Tells a listener what happens in a run, once and in its order.

    Parameters
    ----------
    listener
        Called with each event; what was printed comes in small portions.
    patience_s
        How long the service may be away before following ends.
    pause
        Waits for so many seconds.
    """

    def __init__(
        self,
        client: ServiceClient,
        run: RunRecord,
        listener: Listener,
        *,
        patience_s: float = PATIENCE_S,
        pause: Pause = time.sleep,
    ) -> None:
        self._client = client
        self._run = run
        self._listener = listener
        self._patience_s = patience_s
        self._pause = pause
        self._steps = ("projects", run.project, "runs", run.id)
        # How far it has told, and of which attempt: each has a log of its own.
        self._attempt, self._after = 0, 0
        self._has_begun = False
        self._said: set[str] = set()
        self._can_listen = True
        self._is_heard = self._has_heard_news = False

    def follow(self) -> Any:
        """Tell of everything until the run has ended; return what the service says of it then.

        Raises
        ------
        ServiceUnreachable
            The service was away for too long; the run goes on without being followed.
        RunNotFound, NotSignedIn
            The run, or the right to see it, is gone.
        """
        while not self._look():
            self._has_heard_news = False
            if self._can_listen:
                self._listen()
            if not self._has_heard_news:
                self._pause(LOOK_INTERVAL_S)
        return self._get()

    def _look(self) -> bool:
        """Tell of all that is there by now; return whether the run has ended."""
        while True:
            portion = self._get("events", after=self._after)
            if portion["attempt"] != self._attempt:
                # This portion may be of the middle of another attempt's log.
                self._begin(portion["attempt"])
                if self._after:
                    self._after = 0
                    continue
            if portion["total"] is not None or portion["events"]:
                self._announce(portion["total"] or 0)
            has_more = bool(portion["events"]) or portion["next"] != self._after
            for event in portion["events"]:
                self._tell(event, event["number"])
            self._after = portion["next"]
            self._say_state(portion)
            if not has_more:
                return RunStatus(portion["status"]).is_final

    def _listen(self) -> None:
        """Tell of what happens as it happens, until the stream ends or breaks."""
        self._is_heard = False
        try:
            with self._client.stream(
                *self._steps,
                "stream",
                headers={"Last-Event-ID": f"{self._attempt}.{self._after}"},
                quiet_s=QUIET_S,
            ) as lines:
                for message in read_messages(self._heard(lines)):
                    self._has_heard_news = True
                    if not self._hear(message):
                        return
        except (RunNotFound, NotSignedIn):
            raise
        except ServiceUnreachable:
            # Away, or started anew: the next look has patience.
            log.debug("The stream broke", exc_info=True)
        except Nb2prodError:
            # An older service has no streams, and a person has only so many.
            log.info("There is no stream of the run", exc_info=True)
        # Who keeps events back, as some proxies do, is asked for them instead.
        self._can_listen = self._is_heard

    def _heard(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self._is_heard = True
            yield line

    def _hear(self, message: Message) -> bool:
        """Tell of an event of the stream; return whether to go on listening."""
        content = json.loads(message.data)
        match message.name:
            case "state":
                if content["total"] is not None:
                    self._announce(content["total"])
                self._say_state(content)
                return not RunStatus(content["status"]).is_final
            case "cell" | "output" | "note" if self._has_begun:
                self._tell({**_ABSENT, **content}, int(message.id.partition(".")[2]))
                return True
            case "attempt":
                self._begin(content["number"], content["former_reason"])
                self._after = 0
                return True
            case "notice":
                # It tells no more of what cells put out; the portions do.
                self._can_listen = False
                return False
            # Before its first event a look says how many cells there are; and at the end.
            case _:
                return False

    def _begin(self, attempt: int, reason: str = "") -> None:
        if self._attempt:
            because = f" {reason}" if reason else ""
            self._note(f"Trying again: attempt {attempt}.{because}")
        self._attempt, self._has_begun = attempt, False

    def _announce(self, total: int) -> None:
        if not self._has_begun:
            self._has_begun = True
            run = self._run
            started = RunStarted(
                at=_now(), run_id=run.id, reference=run.reference, code_cells=total
            )
            self._listener(started)

    def _say_state(self, state: Mapping[str, Any]) -> None:
        """Say what no event of the log does, each thing once."""
        if state["status"] == RunStatus.QUEUED:
            self._note_once("Queued.")
            if state.get("waits"):
                self._note_once(state["waits"])
        if state["cancelled_by"]:
            self._note_once(f"{state['cancelled_by']} has asked for its end.")

    def _tell(self, event: Mapping[str, Any], number: int) -> None:
        # Whole, and one by one: who is interrupted here and follows again is told nothing twice.
        with _uninterrupted():
            for told in _told(event, self._run):
                self._listener(told)
            self._after = number

    def _get(self, *steps: str, **query: object) -> Any:
        """Ask something of the run, with patience."""
        waited, pause_s = 0.0, LOOK_INTERVAL_S
        while True:
            try:
                found = self._client.get(*self._steps, *steps, **query)
            except Unavailable as error:
                if waited >= self._patience_s:
                    raise ServiceUnreachable(
                        f"{error.message} The run {self._run.id} goes on there without being"
                        " followed."
                    ) from error
                if waited == 0:
                    self._note(f"{error.message} The run goes on there; trying again.")
                log.debug("The service is away waited=%s", waited, exc_info=True)
                self._pause(pause_s)
                waited += pause_s
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                if waited:
                    self._note("The workspace answers again.")
                return found

    def _note_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._note(text)

    def _note(self, text: str) -> None:
        self._listener(Noted(at=_now(), text=text))


# What the stream leaves out where there is nothing to say.
_ABSENT: Mapping[str, Any] = {
    "text": "",
    "cell": None,
    "position": None,
    "heading": "",
    "status": None,
    "stream": None,
}


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let signals that end a command, Ctrl-C among them, wait for the end of what is begun."""
    if threading.current_thread() is not threading.main_thread():
        # Python hears them on the main thread, and nothing here is interrupted.
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.getsignal(number) for number in numbers}
    heard = {number: handler for number, handler in former.items() if callable(handler)}
    for number in heard:
        signal.signal(number, lambda *arguments: waiting.append(arguments))
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
    for arrived, frame in waiting:
        heard[signal.Signals(arrived)](arrived, frame)


def _told(event: Mapping[str, Any], run: RunRecord) -> Iterator[Event]:
    at = datetime.fromisoformat(event["at"])
    match event["kind"]:
        case "kernel_started":
            yield KernelStarted(at=at, kernel_name=run.kernel_name, pid=None)
        case "cell_started":
            yield CellStarted(
                at=at,
                number=event["cell"],
                position=event["position"] or 0,
                heading=event["heading"],
            )
        case "output":
            yield OutputAdded(at=at, number=event["cell"] or 0, output=_output(event))
        case "cell_ended":
            status = CellStatus(event["status"])
            yield CellEnded(at=at, number=event["cell"], status=status, error=event["text"] or None)
        case "noted":
            yield Noted(at=at, text=event["text"])
        case "run_ended":
            yield RunEnded(at=at, status=RunStatus(event["status"]), reason=event["text"])
        # Its beginning is announced with the number of cells; a newer service may tell of more.
        case _:
            pass


def _output(event: Mapping[str, Any]) -> dict[str, Any]:
    if event["stream"] is not None:
        return {"output_type": "stream", "name": event["stream"], "text": event["text"]}
    data = {"text/plain": event["text"]}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _now() -> datetime:
    return datetime.now(UTC)
