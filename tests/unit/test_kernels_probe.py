"""What the probe in a kernel takes out of what a notebook tells MLflow, and sees of GPUs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import pytest
from nb2prod_kernels import probe
from nb2prod_kernels.probe import MLFLOW_WRITERS, Secrets

VALUE = "correct 'horse' \"staple\" ä&"
SECRETS = Secrets({"DB_PASSWORD": VALUE, "PIN": "918273645", "SHORT": "abc", "UNSET": ""})


class Param:
    """As MLflow's own."""

    def __init__(self, key: str, value: str, step: int = 0) -> None:
        self.key, self.value, self.step = key, value, step


def patched(name: str, **content: Any) -> Any:
    """A module of that name after the probe has seen it."""
    module = SimpleNamespace(__name__=name, **content)
    SECRETS.patch(module)
    return module


@pytest.mark.parametrize(
    "written",
    [
        VALUE,
        json.dumps({"p": VALUE}),
        json.dumps({"p": VALUE}, ensure_ascii=False),
        repr({"p": VALUE}),
        f"postgresql://ada:{quote_plus(VALUE)}@db",
    ],
    ids=["plain", "JSON", "JSON in UTF-8", "Python", "address"],
)
def test_value_is_found_as_programs_write_it(written: str) -> None:
    shown = SECRETS.text(written)

    assert "[secret DB_PASSWORD]" in shown
    assert "horse" not in shown


def test_line_of_a_key_is_found_alone() -> None:
    secrets = Secrets({"KEY": "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n-----END KEY-----\n"})

    assert secrets.text("MIIEpAIBAAKCAQEA") == "[secret KEY]"


def test_text_and_numbers_without_secrets_are_as_they_were() -> None:
    assert SECRETS.text("abc of JFK-DL") == "abc of JFK-DL"
    assert [SECRETS.number(number) for number in (4.1, -2.0, 9.18)] == [4.1, -2.0, 9.18]
    assert math.isinf(SECRETS.number(math.inf))
    assert math.isnan(SECRETS.number(math.nan))


def test_number_that_is_a_secret_is_none() -> None:
    assert math.isnan(SECRETS.number(918273645.0))


def test_name_gets_a_mark_without_brackets_which_mlflow_refuses() -> None:
    param = patched("mlflow.entities.param", Param=Param).Param

    assert param(f"of {VALUE}", VALUE).key == "of secret DB_PASSWORD"
    assert param(key=VALUE, value="x").key == "secret DB_PASSWORD"
    assert param("p", value=VALUE).value == "[secret DB_PASSWORD]"
    assert param("p", "x", 918273645).step == 918273645


def test_module_without_what_is_wrapped_is_left_alone() -> None:
    for name, _ in MLFLOW_WRITERS:
        assert vars(patched(name)) == {"__name__": name}


@pytest.mark.parametrize(
    "version",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  575.57.08  Sat May 24 07:27:54 UTC 2025",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build  (x)",
    ],
    ids=["closed", "open"],
)
def test_gpus_and_their_driver_are_as_the_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(probe, "NVIDIA", str(tmp_path))
    (tmp_path / "version").write_text(f"{version}\nGCC version:  gcc version 12.2.0\n")
    for place in ("0000:1b:00.0", "0000:43:00.0"):
        folder = tmp_path / "gpus" / place
        folder.mkdir(parents=True)
        (folder / "information").write_text(
            f"Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 18\nBus Location: \t {place}\n"
        )

    seen = probe.machine()

    assert seen["gpus"] == ["NVIDIA H100 80GB HBM3"] * 2
    assert seen["gpu_driver"] == "575.57.08"


def test_machine_without_a_gpu_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "NVIDIA", str(tmp_path))

    seen = probe.machine()

    assert (seen["gpus"], seen["gpu_driver"]) == ([], "")
