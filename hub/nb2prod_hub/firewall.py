"""What containers may reach of this machine: the hub, the service and MLflow, nothing else.

A container of a project's network reaches every address of this machine through its gateway:
databases, other people's programs, the cloud's metadata service. These rules of iptables leave
the three ports that it needs. They look only at packets that come in from bridges of ours.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
from collections.abc import Collection, Sequence

from nb2prod_hub.plan import Plan

log = logging.getLogger(__name__)

BRIDGES = "nb2p-+"
# Shared by all workspaces of a machine, since their bridges can't be told apart by name.
INPUT_CHAIN = "NB2PROD-INPUT"
FORWARD_CHAIN = "NB2PROD-FORWARD"
# Docker keeps this chain for rules that come before its own.
DOCKER_CHAIN = "DOCKER-USER"
COMMENT = "nb2prod-"
METADATA = "169.254.0.0/16"
TIMEOUT_S = 20

Rule = tuple[str, ...]


def can_filter() -> bool:
    """Tell whether this process may set rules at all."""
    return os.geteuid() == 0 and shutil.which("iptables") is not None


def protect(plan: Plan) -> None:
    """Set the rules; what is set already stays as it is.

    Raises
    ------
    OSError, subprocess.SubprocessError
        iptables can't be run, or refuses.
    """
    for chain, rules in fixed_rules().items():
        if not _succeeds("--list-rules", chain):
            _iptables("--new-chain", chain)
        for rule in rules:
            _append(chain, rule)
    for rule in own_rules(plan):
        # Before the last one, which drops all that is left.
        if not _succeeds("--check", INPUT_CHAIN, *rule):
            _iptables("--insert", INPUT_CHAIN, "1", *rule)
    for chain, rule in jumps():
        if not _succeeds("--check", chain, *rule):
            _iptables("--insert", chain, "1", *rule)


def unprotect(plan: Plan) -> None:
    """Take this workspace's rules away, and the common ones with the last workspace's."""
    for rule in own_rules(plan):
        while _succeeds("--delete", INPUT_CHAIN, *rule):
            pass
    if _is_used():
        return
    for chain, rule in jumps():
        while _succeeds("--delete", chain, *rule):
            pass
    for chain in fixed_rules():
        _succeeds("--flush", chain)
        _succeeds("--delete-chain", chain)


def forget_gone(instances: Collection[str]) -> None:
    """Take away rules of workspaces that are no more, such as ones that were killed."""
    for rule in rules_of_others(_run(("--list-rules", INPUT_CHAIN)).stdout, instances):
        _succeeds("--delete", INPUT_CHAIN, *rule)


def rules_of_others(listed: str, instances: Collection[str]) -> tuple[Rule, ...]:
    """Return the rules, as iptables lists them, of workspaces that are not among these."""
    split = (shlex.split(line) for line in listed.splitlines() if COMMENT in line)
    return tuple(
        tuple(words[2:])
        for words in split
        if words[words.index("--comment") + 1].removeprefix(COMMENT) not in instances
    )


def fixed_rules() -> dict[str, tuple[Rule, ...]]:
    """Return the rules that do not depend on the workspace, by chain, in their order."""
    return {
        INPUT_CHAIN: (
            # Answers to what the hub and the proxy ask of servers.
            ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"),
            ("-j", "DROP"),
        ),
        FORWARD_CHAIN: (("-d", METADATA, "-j", "DROP"),),
    }


def own_rules(plan: Plan) -> tuple[Rule, ...]:
    """Return the rules that open a workspace's own ports to its containers."""
    return tuple(
        (
            *("-d", f"{plan.inner_ip}/32", "-p", "tcp", "-m", "tcp", "--dport", str(port)),
            *("-m", "comment", "--comment", f"{COMMENT}{plan.instance}", "-j", "ACCEPT"),
        )
        for port in (plan.hub_port, plan.service_port, plan.mlflow_port)
    )


def jumps() -> tuple[tuple[str, Rule], ...]:
    """Return the rules that send our containers' packets to our chains."""
    return (
        ("INPUT", ("-i", BRIDGES, "-j", INPUT_CHAIN)),
        (DOCKER_CHAIN, ("-i", BRIDGES, "-j", FORWARD_CHAIN)),
    )


def _is_used() -> bool:
    return COMMENT in _run(("--list-rules", INPUT_CHAIN)).stdout


def _append(chain: str, rule: Rule) -> None:
    if not _succeeds("--check", chain, *rule):
        _iptables("--append", chain, *rule)


def _succeeds(*arguments: str) -> bool:
    return _run(arguments).returncode == 0


def _iptables(*arguments: str) -> None:
    result = _run(arguments)
    if result.returncode != 0:
        log.error("iptables refused arguments=%s said=%s", arguments, result.stderr.strip())
        result.check_returncode()


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # --wait: Docker changes rules as well, and only one may at a time.
    return subprocess.run(
        ["iptables", "--wait", "10", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
