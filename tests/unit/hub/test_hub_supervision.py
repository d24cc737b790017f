"""What the supervisor is told, and what is read from its log."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest
from nb2prod_hub.firewall import (
    BRIDGES,
    FORWARD_CHAINS,
    INPUT_CHAINS,
    METADATA,
    fixed_rules,
    jumps,
    own_rules,
    rules_of_others,
)
from nb2prod_hub.plan import Plan
from nb2prod_hub.proxy_process import proxy_arguments
from nb2prod_hub.readiness import _exits, signs
from nb2prod_hub.secret_files import ALWAYS_THERE, make_secrets, read_secret
from nb2prod_hub.server_logs import last_lines, new_log, read_end
from nb2prod_hub.supervision import programs, supervisor_config

from nb2prod.workspace.policy import NetworkKind
from tests.unit.hub.test_hub_plan import plan_in


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_in(tmp_path / "a folder with 100%")


def parsed(plan: Plan) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(supervisor_config(plan))
    return parser


def test_supervisor_config_starts_all_in_order_and_each_dies_with_it(plan: Plan) -> None:
    parser = parsed(plan)
    sections = {name: parser[f"program:{name}"] for name in (item.name for item in programs())}

    assert list(sections) == ["proxy", "hub", "service", "mlflow", "dispatcher"]
    places = [int(section["priority"]) for section in sections.values()]
    assert places == sorted(places)
    for section in sections.values():
        assert shlex.split(section["command"])[:4] == ["setpriv", "--pdeathsig", "KILL", "--"]
        assert section["autorestart"] == "true"


def test_supervisor_config_doubles_percent_signs_of_paths(plan: Plan) -> None:
    folder = parsed(plan)["program:hub"]["directory"]

    assert folder == str(plan.folder).replace("%", "%%")


def test_supervisor_config_and_proxy_arguments_hold_no_secret(plan: Plan) -> None:
    make_secrets(plan.home)

    said = supervisor_config(plan) + shlex.join(proxy_arguments(plan))

    for secret in ALWAYS_THERE:
        assert read_secret(plan.home, secret) not in said


def test_proxy_listens_to_its_api_on_the_loopback_address_only(plan: Plan) -> None:
    arguments = proxy_arguments(plan)

    assert arguments[arguments.index("--api-ip") + 1] == "127.0.0.1"
    assert arguments[arguments.index("--api-port") + 1] == str(plan.proxy_api_port)


def test_start_up_waits_for_hub_service_and_proxy_and_not_for_mlflow(plan: Plan) -> None:
    assert {sign.program for sign in signs(plan)} == {"hub", "service", "proxy"}
    assert not [sign for sign in signs(plan) if "mlflow" in sign.url]


def test_exits_are_counted_since_this_start_and_of_one_program(tmp_path: Path) -> None:
    log = tmp_path / "supervisord.log"
    log.write_text("exited: hub (exit status 1)\n")
    begun = log.stat().st_size
    with log.open("a") as stream:
        stream.write("exited: hub (exit status 1)\nexited: mlflow (exit status 1)\n")

    assert _exits(log, begun, "hub") == 1
    assert _exits(tmp_path / "none", 0, "hub") == 0


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (NetworkKind.OPEN, ["hub_port", "service_port", "mlflow_port"]),
        (NetworkKind.CLOSED, ["service_port", "mlflow_port"]),
    ],
)
def test_firewall_opens_only_the_ports_of_the_workspace_that_a_network_needs(
    plan: Plan, kind: NetworkKind, names: list[str]
) -> None:
    rules = own_rules(plan, kind)

    ports = [str(getattr(plan, name)) for name in names]
    assert [rule[rule.index("--dport") + 1] for rule in rules] == ports
    assert {rule[rule.index("-d") + 1] for rule in rules} == {f"{plan.inner_ip}/32"}
    assert all(f"nb2prod-{plan.instance}" in rule for rule in rules)


def test_firewall_drops_all_the_rest_and_the_metadata_service() -> None:
    chains = fixed_rules()

    assert all(chains[chain][-1] == ("-j", "DROP") for chain in INPUT_CHAINS.values())
    opened = chains[FORWARD_CHAINS[NetworkKind.OPEN]]
    assert any(METADATA in rule and rule[-1] == "DROP" for rule in opened)


def test_firewall_forwards_nothing_for_runs_without_the_internet() -> None:
    assert fixed_rules()[FORWARD_CHAINS[NetworkKind.CLOSED]] == (("-j", "DROP"),)


def test_firewall_looks_at_packets_of_our_bridges_only_and_at_each_kind_by_its_own_rules() -> None:
    chains = {kind: [INPUT_CHAINS[kind], FORWARD_CHAINS[kind]] for kind in BRIDGES}

    for kind, bridge in BRIDGES.items():
        found = [rule[-1] for _, rule in jumps() if rule[:2] == ("-i", bridge)]
        assert found == chains[kind]
    assert len(jumps()) == 4


def test_firewall_rules_of_workspaces_that_are_no_more_are_found(plan: Plan) -> None:
    rule = "-d 172.30.0.1/32 -p tcp -m tcp --dport 1 -m comment --comment nb2prod-{} -j ACCEPT"
    chain = INPUT_CHAINS[NetworkKind.CLOSED]
    listed = "\n".join(
        [
            f"-N {chain}",
            *(f"-A {chain} {rule.format(name)}" for name in ("00000000", plan.instance)),
            f"-A {chain} -j DROP",
        ]
    )

    assert rules_of_others(listed, {plan.instance}) == (tuple(rule.format("00000000").split()),)


def test_new_log_moves_the_former_ones_on_and_drops_the_oldest(tmp_path: Path) -> None:
    for number in range(5):
        new_log(tmp_path / "logs", "ada--demo").write_text(str(number))

    kept = {path.name: path.read_text() for path in (tmp_path / "logs").iterdir()}
    assert kept == {"ada--demo.log": "4", "ada--demo.log.1": "3", "ada--demo.log.2": "2"}


def test_last_lines_are_few_and_of_the_end(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"\n".join(b"line %d" % number for number in range(1000)) + b"\n\xff\n")

    shown = last_lines(read_end(file)).splitlines()

    assert len(shown) == 12
    assert shown[-2:] == ["line 999", "\ufffd"]
    assert read_end(tmp_path / "none") == b""
