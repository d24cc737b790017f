"""The workspace service, from another machine: one client with a token of one project."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from nb2prod import errors
from nb2prod.errors import (
    InvalidInput,
    Nb2prodError,
    NotSignedIn,
    ServiceUnreachable,
    ToolMissing,
)
from nb2prod.settings import RemoteSettings

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

SERVICE_PATH = "/services/workspace"
CONNECT_TIMEOUT_S = 10.0
# Promotion checks a notebook, which takes seconds on a busy machine.
ANSWER_TIMEOUT_S = 120.0
# A page of somebody else's may be large; of it a line is enough.
_SAID_LENGTH = 200


class ServiceClient:
    """Asks the workspace service for what its token's person may do.

    Connections are made at the first request and kept until the client is closed. Not safe to
    use from several threads.

    Parameters
    ----------
    server
        Address of the workspace as people open it, with or without ``/services/workspace``.
    token
        Sent to that address only: no redirection is followed.
    transport
        Instead of a network, for tests.

    Raises
    ------
    InvalidInput
        The address is none.
    NotSignedIn
        There is no token.
    ToolMissing
        The library for HTTP is not installed.
    """

    def __init__(
        self, server: str, token: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.address = service_address(server)
        if not token:
            raise NotSignedIn(
                "There is no token: set NB2PROD_TOKEN to one that the project's settings page has"
                " made."
            )
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise NotSignedIn("NB2PROD_TOKEN holds no token: it has spaces or other characters.")
        try:
            import httpx
        except ImportError as error:
            raise ToolMissing(
                "To ask a workspace on another machine, install nb2prod with its extra:"
                " `pip install 'nb2prod[ci]'`."
            ) from error
        host = urlsplit(self.address).hostname or ""
        if not self.address.startswith("https:") and not _is_here(host):
            log.warning("The token goes to %s unencrypted; use https.", host)
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            transport=transport,
            # No proxy leads to this machine itself.
            trust_env=not _is_here(host),
        )

    @classmethod
    def from_settings(cls, settings: RemoteSettings) -> ServiceClient:
        """Return a client for what the environment names; raises as the class does."""
        return cls(settings.server, settings.token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def get(self, *steps: str, **query: object) -> Any:
        """Return what the service answers to a GET below ``/api/v1``, as a JSON value.

        Parameters
        ----------
        steps
            Of the path, not yet percent-encoded.

        Raises
        ------
        Nb2prodError
            What the service answered with, as the error that it names.
        NotSignedIn
            It does not know the token, or the token has expired.
        ServiceUnreachable
            It does not answer, or not as a workspace does.
        """
        return self._json(self._send("GET", steps, params=query))

    def post(self, body: Mapping[str, Any], *steps: str) -> Any:
        """Return what the service answers to a POST of JSON below ``/api/v1``; raises as `get`.

        Where it does not answer, it may have done what it was asked for all the same, unless the
        error's detail says ``is_unsent``.
        """
        return self._json(self._send("POST", steps, json=body))

    def ask(self, body: Mapping[str, Any], *steps: str, doubt: str) -> Any:
        """Return what the service answers to a POST that makes something; raises as `get`.

        Parameters
        ----------
        doubt
            A sentence for who does not know whether it was made: there was no answer, and the
            request may have arrived.
        """
        try:
            return self.post(body, *steps)
        except ServiceUnreachable as error:
            if error.detail.get("is_unsent"):
                raise
            raise ServiceUnreachable(f"{error.message} {doubt}") from error

    def fetch(self, *steps: str) -> bytes:
        """Return a content below ``/api/v1`` as it is; raises as `get` does."""
        content: bytes = self._send("GET", steps).content
        return content

    @contextmanager
    def stream(
        self, *steps: str, headers: Mapping[str, str], quiet_s: float
    ) -> Iterator[Iterator[str]]:
        """Give the lines of an answer that goes on and on, as they come; raises as `get` does.

        Parameters
        ----------
        quiet_s
            After so long without a word the connection counts as broken.
        """
        import httpx

        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=quiet_s)
        accepted = {"Accept": "text/event-stream", **headers}
        try:
            with self._client.stream(
                "GET", self._url(steps), headers=accepted, timeout=timeout
            ) as response:
                if not response.is_success:
                    response.read()
                    raise self._refusal(response)
                yield response.iter_lines()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def link(self, path: str) -> str:
        """Return a path of the service's as an address that a browser can open."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}{path}"

    def page(self, run_id: str) -> str:
        """Return the address of a run's page."""
        return f"{self.address}/pages/{run_id}"

    def _url(self, steps: tuple[str, ...]) -> str:
        return f"{self.address}/api/v1/" + "/".join(quote(step, safe="") for step in steps)

    def _send(self, method: str, steps: tuple[str, ...], **options: Any) -> httpx.Response:
        import httpx

        try:
            response = self._client.request(method, self._url(steps), **options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise self._refusal(response)
        return response

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise self._strange(response) from error

    def _unreachable(self, error: Exception) -> ServiceUnreachable:
        import httpx

        said = str(error).rstrip(".") or type(error).__name__
        return ServiceUnreachable(
            f"The workspace at {self.address} does not answer: {said}.",
            is_unsent=isinstance(error, httpx.ConnectError | httpx.ConnectTimeout),
        )

    def _refusal(self, response: httpx.Response) -> Nb2prodError:
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or not {"code", "message"} <= body.keys():
            return self._strange(response)
        detail = body.get("detail")
        detail = detail if isinstance(detail, dict) else {}
        if response.status_code == 401 and "expired_at" not in detail:
            return NotSignedIn(
                f"The workspace at {self.address} does not know this token: it was revoked or"
                " mistyped, or its person is no member any more. Make a new one in the project's"
                " settings, and set NB2PROD_TOKEN."
            )
        return _error(str(body["code"]), str(body["message"]), response.status_code, detail)

    def _strange(self, response: httpx.Response) -> ServiceUnreachable:
        log.info(
            "Answered strangely status=%s body=%s",
            response.status_code,
            json.dumps(response.text[:_SAID_LENGTH]),
        )
        location = response.headers.get("location", "")
        if response.is_redirect and location:
            return ServiceUnreachable(
                f"{self.address} leads elsewhere, to {location[:_SAID_LENGTH]}. Give the address"
                " where the workspace itself answers."
            )
        return ServiceUnreachable(
            f"{self.address} answers, but not as a workspace does (status"
            f" {response.status_code}). Look whether the address is right."
        )


def service_address(server: str) -> str:
    """Return the service's address, without a slash at its end; raises `InvalidInput`.

    >>> service_address("https://hub.example.org/")
    'https://hub.example.org/services/workspace'
    """
    parts = urlsplit(server)
    try:
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_plain = not (parts.query or parts.fragment or parts.username) and parts.port != 0
    except ValueError:  # a port that is none
        is_address = is_plain = False
    if not (is_address and is_plain and server.isascii() and server.isprintable()):
        raise InvalidInput(
            f"{server[:_SAID_LENGTH]!r} is no address of a workspace; write it as people open it,"
            " such as https://hub.example.org."
        )
    path = parts.path.rstrip("/").removesuffix(SERVICE_PATH)
    return f"{parts.scheme}://{parts.netloc}{path}{SERVICE_PATH}"


def unknown_answer(what: str) -> ServiceUnreachable:
    """Return what to raise for an answer of another version, such as `"describes its run"`."""
    return ServiceUnreachable(
        f"The workspace {what} in a way that this nb2prod does not know. Install the version that"
        " the workspace has."
    )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _error(code: str, message: str, status: int, detail: Mapping[str, Any]) -> Nb2prodError:
    usual = ServiceUnreachable if status >= 500 else InvalidInput if status == 422 else Nb2prodError
    kind = _kinds().get(code, usual)
    facts = {str(name): value for name, value in detail.items() if name != "message"}
    error = kind(message)
    error.detail = facts
    return error


def _kinds() -> dict[str, type[Nb2prodError]]:
    kinds = (value for value in vars(errors).values() if isinstance(value, type))
    return {kind.code: kind for kind in kinds if issubclass(kind, Nb2prodError)}
