"""A project's policy for findings: ``[tool.nb2prod.findings]`` in its ``pyproject.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from nb2prod.export.findings import FINDINGS as PREFLIGHT_FINDINGS
from nb2prod.export.findings import FindingKind
from nb2prod.export.models import Finding
from nb2prod.export.policy import Policy, Weight, judged
from nb2prod.export.preflight import by_weight
from nb2prod.notebook.models import Notebook
from nb2prod.registry.declaration import PROJECT_FILE
from nb2prod.registry.findings import FINDINGS as OWN_FINDINGS
from nb2prod.registry.findings import finding
from nb2prod.registry.project_files import ProjectFiles, inside

# All kinds of findings, of the preflight and of promotion.
KINDS: Mapping[str, FindingKind] = MappingProxyType({**PREFLIGHT_FINDINGS, **OWN_FINDINGS})


def read_policy(files: ProjectFiles | None, directory: str) -> tuple[Policy, tuple[Finding, ...]]:
    """Read the policy for a notebook: that of the nearest ``pyproject.toml`` that has one.

    Parameters
    ----------
    files
        The project's; `None` where they can't be read, and then there is no policy.
    directory
        The notebook's folder, relative to the project's.

    Returns
    -------
    Policy
        Without what is wrong in it.
    tuple of Finding
        What is wrong in it; each blocks.
    """
    folder = PurePosixPath(directory)
    for place in (folder, *folder.parents) if files is not None else ():
        path = inside(place.as_posix(), PROJECT_FILE) or PROJECT_FILE
        content = files.read(path) if files is not None else None
        if content is None:
            continue
        try:
            data = tomllib.loads(content.decode("utf-8", "replace"))
        except tomllib.TOMLDecodeError as error:
            return Policy(), (finding("policy-invalid", f"{path} is no TOML: {error}."),)
        table = _table(data)
        if table is not None:
            return _read(table, path)
    return Policy(), ()


def weighed(
    findings: Iterable[Finding], notebook: Notebook, policy: Policy, *, has_environment: bool
) -> tuple[Finding, ...]:
    """Weigh all findings of a notebook, the heaviest first.

    Parameters
    ----------
    has_environment
        Whether promotion's own findings were looked for, not the preflight's alone.
    """
    looked_for = KINDS.keys() if has_environment else PREFLIGHT_FINDINGS.keys()
    return by_weight(judged(findings, notebook, policy, KINDS, looked_for=looked_for))


def _table(data: Mapping[str, Any]) -> Any:
    tool = data.get("tool")
    ours = tool.get("nb2prod") if isinstance(tool, Mapping) else None
    return ours.get("findings") if isinstance(ours, Mapping) else None


def _read(table: object, path: str) -> tuple[Policy, tuple[Finding, ...]]:
    if not isinstance(table, Mapping):
        message = f"`findings` under [tool.nb2prod] in {path} is no table."
        return Policy(), (finding("policy-invalid", message),)
    weights = {
        code: Weight(word)
        for code, word in table.items()
        if code in KINDS and word in set(Weight) and not KINDS[code].is_fixed
    }
    messages = [message for code, word in table.items() for message in _faults(code, word, path)]
    return Policy(weights=weights), tuple(finding("policy-invalid", text) for text in messages)


def _faults(code: str, word: object, path: str) -> Iterator[str]:
    if code not in KINDS:
        nearest = get_close_matches(code, KINDS, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        yield f"{path} has a policy for `{code}`, which is no finding.{hint}"
    elif word not in set(Weight):
        words = ", ".join(f'"{weight}"' for weight in Weight)
        yield f"{path} says {word!r} of `{code}`; say one of {words}."
    elif KINDS[code].is_fixed and word != KINDS[code].severity.value:
        yield f"{path} can't weaken `{code}`: there would be no script, or no version."
