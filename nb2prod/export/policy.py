"""What a project and an author make of findings: a policy by code, and silences with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum

from nb2prod.export.findings import FindingKind, finding
from nb2prod.export.models import Finding, Severity
from nb2prod.notebook.models import Cell, Notebook

# In a cell's metadata: `"nb2prod": {"silence": {"network-access": "the table never changes"}}`.
_METADATA_KEY, _SILENCE_KEY = "nb2prod", "silence"
_COMMENT = re.compile(
    r"#\s*nb2prod:\s*ignore\[(?P<codes>[\w-]+(?:\s*,\s*[\w-]+)*)\][ \t]*(?P<reason>[^\n]*)"
)


class Weight(StrEnum):
    """What a policy may say of a code."""

    BLOCKING = "blocking"
    WARNING = "warning"
    NOTE = "note"
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How much findings weigh in a project; codes that it does not name weigh as ever."""

    weights: Mapping[str, Weight] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Silence:
    """An author's word that a finding does not count in a cell.

    Parameters
    ----------
    line
        In the cell, from 1; `None` for one in the metadata.
    reason
        Empty where none was given, and then it silences nothing.
    """

    cell: int
    code: str
    reason: str
    line: int | None = None


def judged(
    findings: Iterable[Finding],
    notebook: Notebook,
    policy: Policy,
    kinds: Mapping[str, FindingKind],
    *,
    looked_for: AbstractSet[str],
) -> tuple[Finding, ...]:
    """Weigh findings by a policy and the notebook's silences.

    Parameters
    ----------
    kinds
        All kinds of findings by their code.
    looked_for
        The codes that were looked for: only for these a silence can be told to be needless.

    Returns
    -------
    tuple of Finding
        Those that the policy leaves; silenced ones with their reason; what is wrong with silences.
    """
    found = [item for one in findings for item in _weighed(one, policy, kinds)]
    silences = tuple(read_silences(notebook))
    by_place = {(item.cell, item.code): item for item in silences if item.reason}
    judgement = []
    for item in found:
        silence = by_place.get((item.cell or 0, item.code))
        is_silenced = silence is not None and not _is_fixed(item.code, kinds)
        judgement.append(
            replace(item, silenced_because=silence.reason) if silence and is_silenced else item
        )
    places = {(item.cell, item.code) for item in found}
    faults = [fault for item in silences for fault in _faults(item, places, kinds, looked_for)]
    return (*judgement, *(one for item in faults for one in _weighed(item, policy, kinds)))


def read_silences(notebook: Notebook) -> Iterator[Silence]:
    """Read the silences of all code cells: from their metadata, and from their comments."""
    for cell in notebook.code_cells:
        yield from _in_metadata(cell)
        for number, line in enumerate(cell.source.split("\n"), start=1):
            match = _COMMENT.search(line)
            for code in match["codes"].split(",") if match else ():
                reason = match["reason"].strip() if match else ""
                yield Silence(cell=cell.number, code=code.strip(), reason=reason, line=number)


def _in_metadata(cell: Cell) -> Iterator[Silence]:
    ours = cell.metadata.get(_METADATA_KEY)
    said = ours.get(_SILENCE_KEY) if isinstance(ours, Mapping) else None
    for code, reason in said.items() if isinstance(said, Mapping) else ():
        text = reason.strip() if isinstance(reason, str) else ""
        yield Silence(cell=cell.number, code=str(code), reason=text)


def _weighed(item: Finding, policy: Policy, kinds: Mapping[str, FindingKind]) -> Iterator[Finding]:
    weight = policy.weights.get(item.code)
    if weight is None or _is_fixed(item.code, kinds):
        yield item
    elif weight is not Weight.OFF:
        yield replace(item, severity=Severity(weight.value))


def _is_fixed(code: str, kinds: Mapping[str, FindingKind]) -> bool:
    kind = kinds.get(code)
    return kind is not None and kind.is_fixed


def _faults(
    silence: Silence,
    places: AbstractSet[tuple[int | None, str]],
    kinds: Mapping[str, FindingKind],
    looked_for: AbstractSet[str],
) -> Iterator[Finding]:
    code, cell, line = silence.code, silence.cell, silence.line
    if code not in kinds:
        message = f"`{code}`, which is to be silenced here, is no finding."
        yield finding("silence-unknown", message, cell=cell, line=line)
    elif kinds[code].is_fixed:
        message = f"`{code}` can't be silenced: there would be no script, or no version."
        yield finding("silence-unknown", message, cell=cell, line=line)
    elif not silence.reason:
        message = f"`{code}` is to be silenced here, and nobody says why; so it is not."
        yield finding("silence-without-reason", message, cell=cell, line=line)
    elif (cell, code) not in places and code in looked_for:
        message = f"There is no `{code}` in this cell to be silenced."
        yield finding("silence-unused", message, cell=cell, line=line)
