"""Making the plan: at the first start all of it, later what may change."""

from __future__ import annotations

import errno
import secrets
from dataclasses import dataclass, replace

from nb2prod.cli.context import port_taken
from nb2prod.errors import PortTaken
from nb2prod.settings import Settings
from nb2prod_hub.account_names import account_name
from nb2prod_hub.plan import PLAN_FILE, Mode, Plan
from nb2prod_hub.ports import ANY_PORT, free_ports, wait_until_free

LOOPBACK = "127.0.0.1"
# What processes of an earlier start, killed just now, need to be gone.
LEAVING_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Inside:
    """What people's servers and runs work with, as the mode has it.

    Parameters
    ----------
    ip, subnet
        Where the workspace's processes listen behind the proxy; see `Plan`.
    default_image
        Image of projects that name none; empty in mode `process`.
    """

    mode: Mode
    ip: str = LOOPBACK
    subnet: str = ""
    default_image: str = ""


def new_instance() -> str:
    """Return a name for a new workspace among those of this machine."""
    return secrets.token_hex(4)


def make_plan(
    settings: Settings, former: Plan | None, inside: Inside, *, instance: str, port: int
) -> Plan:
    """Return the plan of this start.

    Parameters
    ----------
    former
        That of the start before; what running servers know of it is kept.
    instance
        The workspace's name on this machine.
    port
        Where people open the workspace; 0 stands for the port of the start before, or else for any
        free one.

    Raises
    ------
    SettingInvalid
        The account's name can't be that of a person in the hub.
    """
    if former is None or former.inner_ip != inside.ip:
        former = _first_plan(settings, inside, instance)
    return replace(
        former,
        home=settings.home,
        mode=inside.mode,
        bind_ip=settings.bind_ip,
        port=former.port if port == ANY_PORT else port,
        inner_subnet=inside.subnet,
        default_image=inside.default_image,
        network_pool=settings.network_pool,
    )


def require_free_port(ip: str, port: int) -> None:
    """Raise `PortTaken` if nobody can listen at the port that people are to open.

    Waits a little for what a sudden end left behind.
    """
    error = wait_until_free(ip, port, timeout_s=LEAVING_S)
    if error is not None:
        reason = None if error.errno == errno.EADDRINUSE else f"{ip}: {error.strerror}"
        raise port_taken(port, reason)


def require_free_inner_ports(plan: Plan) -> None:
    """Raise `PortTaken` if the workspace can't listen where running servers expect it."""
    for ip, port in _inner_places(plan):
        error = wait_until_free(ip, port, timeout_s=LEAVING_S)
        if error is not None:
            raise PortTaken(
                f"The workspace can't listen at {ip}:{port}, as it did before: {error.strerror}."
                f" Stop the program that does, or remove {plan.folder / PLAN_FILE}:"
                " then it chooses other ports, and people's running servers have to be started"
                " anew."
            )


def _first_plan(settings: Settings, inside: Inside, instance: str) -> Plan:
    public, proxy_api, hub, service, mlflow = (
        free_ports(LOOPBACK, 5)
        if inside.ip == LOOPBACK
        else (*free_ports(LOOPBACK, 2), *free_ports(inside.ip, 3))
    )
    return Plan(
        home=settings.home,
        instance=instance,
        mode=inside.mode,
        bind_ip=settings.bind_ip,
        port=public,
        inner_ip=inside.ip,
        inner_subnet=inside.subnet,
        proxy_api_port=proxy_api,
        hub_port=hub,
        service_port=service,
        mlflow_port=mlflow,
        default_image=inside.default_image,
        administrator=account_name(settings.person),
    )


def _inner_places(plan: Plan) -> tuple[tuple[str, int], ...]:
    return (
        (LOOPBACK, plan.proxy_api_port),
        (plan.inner_ip, plan.hub_port),
        (plan.inner_ip, plan.service_port),
        (plan.inner_ip, plan.mlflow_port),
    )
