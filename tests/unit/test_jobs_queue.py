"""Who comes next, what is tried again, and how much room a workspace has."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nb2prod.errors import ResourcesUnknown, SettingInvalid
from nb2prod.execution.models import Attempt, CellRecord, CellStatus, RunRecord, RunStatus
from nb2prod.jobs.dispatcher import room_of
from nb2prod.jobs.queue import Room, Ticket, chosen
from nb2prod.jobs.retries import MAX_DELAY_S, names_of, pause_before
from nb2prod.registry.models import Retry
from nb2prod.settings import ResourceClass, Settings
from tests.helpers.gallery import ENDED, make_record

NOT_RUN = (CellRecord(number=1),)


def tickets(people: str, *, resources: str = "standard", project: int = 1) -> list[Ticket]:
    return [
        Ticket(id=f"{person}{place}", person=person, project_id=project, resources=resources)
        for place, person in enumerate(people)
    ]


def names(found: Sequence[Ticket]) -> str:
    return "".join(ticket.person for ticket in found)


@pytest.mark.parametrize(
    ("waiting", "going", "limit", "started"),
    [
        pytest.param("aaaa", "", 2, "aa", id="one-person-fills-the-machine"),
        pytest.param("aaab", "", 2, "ab", id="others-come-before-a-second-one"),
        pytest.param("aab", "aa", 2, "b", id="none-going-need-not-wait"),
        pytest.param("abbc", "aa", 2, "bc", id="twice-the-limit-in-all"),
        pytest.param("cd", "aabb", 2, "", id="not-more-than-that"),
        pytest.param("aab", "ab", 2, "", id="full"),
        pytest.param("", "a", 2, "", id="nothing-waits"),
    ],
)
def test_chosen_gives_everybody_a_turn(waiting: str, going: str, limit: int, started: str) -> None:
    found = chosen(tickets(waiting), tickets(going), room=Room(slots={"standard": limit}))

    assert names(found) == started
    ids = [ticket.id for ticket in found if ticket.person == "a"]
    assert ids == sorted(ids), "a person's own runs keep their order"


def test_hundred_runs_of_one_person_do_not_hold_up_the_one_of_another() -> None:
    waiting = [*tickets("a" * 100), *tickets("b")]

    found = chosen(waiting, tickets("aa"), room=Room(slots={"standard": 2}))

    assert names(found) == "b"


def test_each_resource_class_has_its_own_room() -> None:
    large = tickets("aa", resources="large")
    room = Room(slots={"standard": 1, "large": 1})

    found = chosen([*tickets("aa"), *large], [], room=room)

    assert [ticket.resources for ticket in found] == ["standard", "large"]


def test_class_that_is_no_more_lets_its_runs_in_to_fail() -> None:
    found = chosen(tickets("aa", resources="gone"), [], room=Room(slots={"standard": 1}))

    assert len(found) == 2


def test_limits_of_person_and_project_hold_over_all_classes() -> None:
    waiting = [*tickets("aaab"), *tickets("aab", resources="large"), *tickets("cc", project=2)]
    slots = {"standard": 9, "large": 9}

    by_person = chosen(waiting, [], room=Room(slots=slots, person=2))
    by_project = chosen(waiting, tickets("d"), room=Room(slots=slots, project=2))

    assert sorted(names(by_person)) == list("aabbcc")
    assert sorted(ticket.project_id for ticket in by_project) == [1, 2, 2]


def test_room_is_what_the_settings_say() -> None:
    settings = Settings.from_environment(
        {
            "NB2PROD_RUN_LIMIT": "3",
            "NB2PROD_RUN_LIMIT_PERSON": "2",
            "NB2PROD_RESOURCES": "large:memory_mb=32000,cpu_cores=8,slots=1 standard:pids=64",
        }
    )

    assert room_of(settings) == Room(slots={"standard": 3, "large": 1}, person=2)
    assert settings.resource_class("large") == ResourceClass(
        name="large", memory_mb=32_000, cpu_cores=8.0, slots=1
    )
    with pytest.raises(ResourcesUnknown, match="it has standard, large"):
        settings.resource_class("huge")


@pytest.mark.parametrize(
    "text",
    ["Large", "large:memory_mb=much", "large:speed=3", "a:slots=0", "a a", "a:pids=99999999999"],
)
def test_resource_classes_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match="NB2PROD_RESOURCES"):
        Settings.from_environment({"NB2PROD_RESOURCES": text})


def failed(error: str | None, status: RunStatus = RunStatus.FAILED, attempts: int = 0) -> RunRecord:
    cells = (
        CellRecord(number=1, status=CellStatus.SUCCEEDED),
        CellRecord(number=2, status=CellStatus.FAILED, error=error),
        CellRecord(number=3),
    )
    earlier = tuple(
        Attempt(
            number=number,
            status=status,
            reason="",
            started_at=None,
            ended_at=ENDED,
            log_sha256="0" * 64,
        )
        for number in range(1, attempts + 1)
    )
    return make_record(status=status, cells=cells, attempts=earlier)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (failed("ConnectionError: away"), {"ConnectionError"}),
        (failed("requests.ConnectionError: away"), {"requests.ConnectionError", "ConnectionError"}),
        (failed("KeyboardInterrupt"), {"KeyboardInterrupt"}),
        (failed(None), set()),
        (failed(None, RunStatus.LOST), {"lost"}),
        (failed(None, RunStatus.TIMED_OUT), {"timed_out"}),
        (failed("x", RunStatus.CANCELLED), set()),
        (
            make_record(status=RunStatus.FAILED, cells=(CellRecord(number=1),)),
            {"kernel_unavailable"},
        ),
        (make_record(), set()),
    ],
    ids=["plain", "dotted", "bare", "none", "lost", "time", "cancelled", "kernel", "success"],
)
def test_failure_has_the_names_by_which_a_pipeline_knows_it(
    record: RunRecord, expected: set[str]
) -> None:
    assert names_of(record) == expected


def test_only_named_failures_are_tried_again_each_after_twice_the_time() -> None:
    retry = Retry(limit=3, on=("ConnectionError",), delay_s=5)

    pauses = [pause_before(retry, failed("ConnectionError: x", attempts=n)) for n in range(4)]

    assert pauses == [5, 10, 20, None]
    assert pause_before(retry, failed("ValueError: x")) is None
    assert pause_before(Retry(), failed("ConnectionError: x")) is None


def test_nobody_waits_for_ever_for_a_new_attempt() -> None:
    retry = Retry(limit=99, on=("lost",), delay_s=1000)

    assert pause_before(retry, failed(None, RunStatus.LOST, attempts=50)) == MAX_DELAY_S
