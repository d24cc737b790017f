"""Requests of all kinds that the API's description allows, and many that it does not: no fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from nb2prod.settings import Settings
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.client import PREFIX, Introduced, program_of
from tests.helpers.shared import PIPELINE, PROJECT, RUN, SharedProject, notebook_with, person, share

EXAMPLES = 40
PROJECTS = f"{PREFIX}/api/v1/projects/{{project}}"
# Bodies that do something, of which a part is then changed.
BODIES: dict[str, dict[str, Any]] = {
    f"POST {PREFIX}/api/v1/projects": {"name": "new-seats"},
    f"PUT {PROJECTS}/members/{{person}}": {"role": "viewer"},
    f"POST {PROJECTS}/proposals": {
        "path": f"project/{PIPELINE}.ipynb",
        "notebook": notebook_with("by = 1"),
    },
    f"POST {PROJECTS}/runs": {"pipeline": PIPELINE, "parameters": {"alpha": 0.5}},
    f"POST {PROJECTS}/sweeps": {"pipeline": PIPELINE, "axes": {"alpha": "0, 1"}},
    f"POST {PROJECTS}/sweeps/preview": {"pipeline": PIPELINE, "axes": {"alpha": "0, 1"}},
    f"POST {PROJECTS}/schedules": {"pipeline": PIPELINE, "cron": "@daily"},
    f"POST {PROJECTS}/schedules/preview": {"cron": "@daily"},
    f"PATCH {PROJECTS}/schedules/{{schedule_id}}": {"cron": "@hourly"},
    f"POST {PROJECTS}/tokens": {"title": "CI", "days": 7},
    f"PUT {PROJECTS}/secrets/{{secret}}": {"value": "correct horse battery"},
}
# It takes the digest of a notebook that was checked just before.
NEVER_DONE = {f"POST {PROJECTS}/versions"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedProject]:
    """The project; the requests of this module leave their traces in it."""
    home = tmp_path_factory.mktemp("home")
    found = Settings.from_environment({"NB2PROD_HOME": str(home), "NB2PROD_USER": "ada"})
    with open_workspace(found) as workspace:
        yield share(workspace)


def known_values(world: SharedProject) -> dict[str, Any]:
    """What is really there, by the name of a path's parameter."""
    owner = program_of(world.app, person("olga"))
    path = f"/api/v1/projects/{PROJECT}"
    sweep = owner.post(f"{path}/sweeps", json={"pipeline": PIPELINE, "axes": {"alpha": "0, 1"}})
    schedule = owner.post(f"{path}/schedules", json={"pipeline": PIPELINE, "cron": "@daily"})
    token = owner.post(f"{path}/tokens", json={"title": "CI", "days": 7})
    return {
        "project": PROJECT,
        # It has ended: the stream of another would not.
        "run_id": RUN,
        "pipeline": PIPELINE,
        "number": 1,
        "person": "vera",
        "name": "script",
        "sweep_id": sweep.json()["id"],
        "schedule_id": schedule.json()["id"],
        "token": token.json()["id"],
        "secret": "DB_PASSWORD",
    }


def operations(world: SharedProject) -> list[Any]:
    """All operations of the API, for its project's owner."""
    app = Introduced(world.app, person("olga"), None)
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/api/v1/openapi.json", app)
    results = list(schema.get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == len(results), "the description can't be read"
    # What the others need goes last.
    return sorted(found, key=lambda operation: operation.method.upper() == "DELETE")


def test_no_request_is_answered_with_a_fault_of_ours(world: SharedProject) -> None:
    known = known_values(world)
    statuses: dict[str, Counter[int]] = {}
    faults = []
    for operation in operations(world):
        seen = statuses[operation.label] = Counter()
        # One that has ended can't be cancelled.
        own = {"run_id": world.queued.id} if operation.label.endswith("/cancel") else {}
        try:
            _ask(operation, {**known, **own}, seen)
        except AssertionError as fault:
            faults.append(f"{operation.label}: {fault}")
        except BaseExceptionGroup as group:
            faults += [f"{operation.label}: {fault}" for fault in group.exceptions]

    assert not faults, "\n\n".join(faults)
    assert len(statuses) > 40
    # Of what never succeeds only the refusals would have been looked at.
    refused = {label for label, seen in statuses.items() if not any(code < 300 for code in seen)}
    assert refused == NEVER_DONE, {label: statuses[label] for label in refused}


def _ask(operation: Any, known: dict[str, Any], seen: Counter[int]) -> None:
    """Send many requests to one operation, half of them to what is really there."""
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @seed(4)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_known=st.booleans(), kept=st.integers(0, 2))
    def ask(case: Any, is_known: bool, kept: int) -> None:  # noqa: FBT001 (hypothesis gives it)
        for name in case.path_parameters or ():
            if name in known and (is_known or name == "project"):
                case.path_parameters[name] = known[name]
        if is_known and operation.label in BODIES:
            generated = list(case.body.items()) if isinstance(case.body, dict) else []
            case.body = {**BODIES[operation.label], **dict(generated[:kept])}
        answer = case.call()
        seen[answer.status_code] += 1
        case.validate_response(
            answer,
            checks=[not_a_server_error, content_type_conformance, response_schema_conformance],
        )

    ask()
