"""The client of the workspace service, on a network that the test makes up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from nb2prod_lab.service import ServiceRefusal, WorkspaceService
from nb2prod_lab.settings import LabSettings

from nb2prod.errors import ServiceUnreachable

SETTINGS = LabSettings(
    service_url="http://service/services/workspace", token="secret", project="seat-demand"
)


def service_that(answer: Callable[[httpx.Request], httpx.Response]) -> WorkspaceService:
    """Return a client whose network is a function."""
    return WorkspaceService(SETTINGS, httpx.MockTransport(answer))


def fail(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    """Return a network that does nothing but fail."""

    def answer(_request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def test_service_request_carries_the_servers_token_and_stays_in_its_project() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"items": []})

    asyncio.run(service_that(answer).ask("versions", "a/../b", pipeline="train"))
    assert str(seen[0].url) == (
        "http://service/services/workspace/api/v1/projects/seat-demand/versions/a%2F..%2Fb"
        "?pipeline=train"
    )
    assert seen[0].headers["Authorization"] == "Bearer secret"


def test_service_refusal_is_handed_on_as_it_is() -> None:
    body = {"code": "parameter_invalid", "message": "No.", "detail": {"parameter": "alpha"}}
    service = service_that(lambda _: httpx.Response(422, json=body))
    with pytest.raises(ServiceRefusal) as refused:
        asyncio.run(service.tell(b"{}", "runs"))
    assert (refused.value.status, refused.value.body) == (422, body)


def test_service_that_does_not_know_the_token_says_what_to_do_and_not_401() -> None:
    body = {"code": "not_signed_in", "message": "You are not signed in.", "detail": {}}
    service = service_that(lambda _: httpx.Response(401, json=body))
    with pytest.raises(ServiceRefusal, match="stop and start the server") as refused:
        asyncio.run(service.ask())
    assert (refused.value.status, refused.value.body["code"]) == (502, "not_signed_in")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (fail(httpx.ConnectError("refused")), "does not answer"),
        (fail(httpx.ReadTimeout("slow")), "within 30 s"),
        (fail(httpx.RemoteProtocolError("gone")), "does not answer"),
        (lambda _: httpx.Response(502, text="<html>Bad gateway"), "status 502"),
        (lambda _: httpx.Response(302, headers={"Location": "/hub/login"}), "status 302"),
        (lambda _: httpx.Response(200, text="<html>login"), "status 200"),
        (lambda _: httpx.Response(404, json={"detail": "Not Found"}), "status 404"),
    ],
    ids=["refused", "slow", "gone", "proxy", "redirect", "html", "foreign"],
)
def test_service_that_does_not_answer_as_itself_is_unreachable(answer: Any, sentence: str) -> None:
    with pytest.raises(ServiceUnreachable, match=sentence):
        asyncio.run(service_that(answer).ask("runs"))


def test_service_without_a_workspace_names_the_command_line() -> None:
    with pytest.raises(ServiceUnreachable, match="nb2prod promote"):
        asyncio.run(WorkspaceService(LabSettings()).ask())


def test_service_is_closed_and_opened_again() -> None:
    service = service_that(lambda _: httpx.Response(200, json={}))

    async def use() -> None:
        await service.close()
        await service.ask()
        await service.close()
        await service.ask()

    asyncio.run(use())
