"""What containers may reach: of this machine the hub, the service and MLflow, nothing else.

A container of a project's network reaches every address of this machine through its gateway:
databases, other people's programs, the cloud's metadata service. These rules of iptables leave
the three ports that it needs. A run that was not given the internet is in a closed network: it
reaches the service and MLflow, and nothing is forwarded for it, neither to the outside nor to
other containers. The rules look only at packets that come in from bridges of ours.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
from collections.abc import Collection, Sequence

from nb2prod.jobs.docker_networks import INTERFACE_PREFIXES
from nb2prod.workspace.policy import NetworkKind
from nb2prod_hub.plan import Plan

log = logging.getLogger(__name__)

# `+` stands for any rest of a name.
BRIDGES = {kind: f"{prefix}+" for kind, prefix in INTERFACE_PREFIXES.items()}
# Shared by all workspaces of a machine, since their bridges can't be told apart by name.
INPUT_CHAINS = {NetworkKind.OPEN: "NB2PROD-INPUT", NetworkKind.CLOSED: "NB2PROD-RUN-INPUT"}
FORWARD_CHAINS = {NetworkKind.OPEN: "NB2PROD-FORWARD", NetworkKind.CLOSED: "NB2PROD-RUN-FORWARD"}
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
    for kind, chain in INPUT_CHAINS.items():
        for rule in own_rules(plan, kind):
            # Before the last one, which drops all that is left.
            if not _succeeds("--check", chain, *rule):
                _iptables("--insert", chain, "1", *rule)
    for chain, rule in jumps():
        if not _succeeds("--check", chain, *rule):
            _iptables("--insert", chain, "1", *rule)


def unprotect(plan: Plan) -> None:
    """Take this workspace's rules away, and the common ones with the last workspace's."""
    for kind, chain in INPUT_CHAINS.items():
        for rule in own_rules(plan, kind):
            while _succeeds("--delete", chain, *rule):
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
    for chain in INPUT_CHAINS.values():
        for rule in rules_of_others(_run(("--list-rules", chain)).stdout, instances):
            _succeeds("--delete", chain, *rule)


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
    # Answers to what the hub and the proxy ask of servers.
    answers = ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT")
    return {
        **dict.fromkeys(INPUT_CHAINS.values(), (answers, ("-j", "DROP"))),
        FORWARD_CHAINS[NetworkKind.OPEN]: (("-d", METADATA, "-j", "DROP"),),
        # Nobody asks anything of a run, so there are no answers, either.
        FORWARD_CHAINS[NetworkKind.CLOSED]: (("-j", "DROP"),),
    }


def own_rules(plan: Plan, kind: NetworkKind) -> tuple[Rule, ...]:
    """Return the rules that open a workspace's own ports to its containers.

    The hub's is for servers, which are in open networks.
    """
    ports = [plan.service_port, plan.mlflow_port]
    if kind is NetworkKind.OPEN:
        ports.insert(0, plan.hub_port)
    return tuple(
        (
            *("-d", f"{plan.inner_ip}/32", "-p", "tcp", "-m", "tcp", "--dport", str(port)),
            *("-m", "comment", "--comment", f"{COMMENT}{plan.instance}", "-j", "ACCEPT"),
        )
        for port in ports
    )


def jumps() -> tuple[tuple[str, Rule], ...]:
    """Return the rules that send our containers' packets to our chains."""
    return tuple(
        (chain, ("-i", BRIDGES[kind], "-j", targets[kind]))
        for kind in NetworkKind
        for chain, targets in (("INPUT", INPUT_CHAINS), (DOCKER_CHAIN, FORWARD_CHAINS))
    )


def _is_used() -> bool:
    chains = INPUT_CHAINS.values()
    return any(COMMENT in _run(("--list-rules", chain)).stdout for chain in chains)


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
