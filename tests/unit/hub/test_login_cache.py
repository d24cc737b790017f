"""What the hub said is remembered for a while, and asked once at a time."""

from __future__ import annotations

import asyncio

import pytest
from nb2prod_hub.login_cache import AnswerCache

pytestmark = pytest.mark.asyncio


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Hub:
    """Answers from a table, and counts."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(self, key: str) -> str | None:
        self.asked.append(key)
        await self.gate.wait()
        if key == "broken":
            raise ConnectionError(key)
        return self.answers.get(key)


def a_cache(clock: Clock, size: int = 10) -> AnswerCache[str, str]:
    return AnswerCache(ttl_s=60, nothing_ttl_s=5, size=size, clock=clock)


async def get(cache: AnswerCache[str, str], hub: Hub, key: str) -> str | None:
    return await cache.get(key, lambda: hub.ask(key))


@pytest.mark.parametrize(("key", "ttl_s"), [("ada", 60), ("nobody", 5)])
async def test_cache_answer_within_its_time_is_not_asked_again(key: str, ttl_s: int) -> None:
    clock, hub = Clock(), Hub(ada="Ada")
    cache = a_cache(clock)

    first = await get(cache, hub, key)
    clock.now += ttl_s - 0.1
    again = await get(cache, hub, key)
    asked_within = list(hub.asked)
    clock.now += 0.1
    await get(cache, hub, key)

    assert again == first
    assert asked_within == [key]
    assert hub.asked == [key, key]


async def test_cache_answer_counts_from_the_question_on() -> None:
    clock, hub = Clock(), Hub(ada="Ada")
    cache = a_cache(clock)
    hub.gate.clear()
    asking = asyncio.create_task(get(cache, hub, "ada"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.now += 59
    hub.gate.set()
    await asking
    clock.now += 1

    await get(cache, hub, "ada")

    assert hub.asked == ["ada", "ada"]


async def test_cache_questions_at_the_same_time_are_asked_once() -> None:
    clock, hub = Clock(), Hub(ada="Ada")
    cache = a_cache(clock)

    answers = await asyncio.gather(*(get(cache, hub, "ada") for _ in range(20)))

    assert answers == ["Ada"] * 20
    assert hub.asked == ["ada"]


async def test_cache_one_who_goes_away_leaves_the_answer_to_the_others() -> None:
    clock, hub = Clock(), Hub(ada="Ada")
    cache = a_cache(clock)
    hub.gate.clear()
    impatient = asyncio.create_task(get(cache, hub, "ada"))
    patient = asyncio.create_task(get(cache, hub, "ada"))
    await asyncio.sleep(0)
    impatient.cancel()
    hub.gate.set()

    assert await patient == "Ada"
    assert hub.asked == ["ada"]


async def test_cache_failure_is_told_to_all_and_not_kept() -> None:
    clock, hub = Clock(), Hub()
    cache = a_cache(clock)

    failures = await asyncio.gather(
        *(get(cache, hub, "broken") for _ in range(3)), return_exceptions=True
    )
    with pytest.raises(ConnectionError):
        await get(cache, hub, "broken")

    assert [type(failure) for failure in failures] == [ConnectionError] * 3
    assert hub.asked == ["broken", "broken"]


async def test_cache_full_of_nobodies_keeps_the_good_answers() -> None:
    clock, hub = Clock(), Hub(ada="Ada")
    cache = a_cache(clock, size=3)
    await get(cache, hub, "ada")
    for number in range(50):
        await get(cache, hub, f"guess-{number}")
    hub.asked.clear()

    await get(cache, hub, "ada")
    await get(cache, hub, "guess-49")
    await get(cache, hub, "guess-0")

    assert hub.asked == ["guess-0"]


async def test_cache_full_drops_the_longest_unused() -> None:
    clock, hub = Clock(), Hub(a="A", b="B", c="C")
    cache = a_cache(clock, size=2)
    for key in ("a", "b", "a", "c"):
        await get(cache, hub, key)
    hub.asked.clear()

    for key in ("a", "c", "b"):
        await get(cache, hub, key)

    assert hub.asked == ["b"]


async def test_cache_forgotten_while_asked_keeps_nothing() -> None:
    clock, hub = Clock(), Hub(ada="Ada")
    cache = a_cache(clock)
    hub.gate.clear()
    asking = asyncio.create_task(get(cache, hub, "ada"))
    await asyncio.sleep(0)
    cache.forget("ada")
    hub.gate.set()
    await asking

    await get(cache, hub, "ada")

    assert hub.asked == ["ada", "ada"]
