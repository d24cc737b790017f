"""What a container's control groups say of its memory, in both of their versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb2prod.execution.memory import MemoryUse, read_memory_use, shortage

MB = 1024 * 1024


def groups(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("memory_", "memory.", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return folder


def test_memory_of_version_1_is_read(tmp_path: Path) -> None:
    root = groups(
        tmp_path,
        memory__memory_max_usage_in_bytes=str(300 * MB),
        memory__memory_limit_in_bytes=str(512 * MB),
        memory__memory_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2",
    )

    assert read_memory_use(root) == MemoryUse(peak_mb=300, limit_mb=512, kills=2)


def test_memory_of_version_2_is_read(tmp_path: Path) -> None:
    root = groups(
        tmp_path,
        memory_peak=str(300 * MB),
        memory_max=str(512 * MB),
        memory_events="low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0",
    )

    assert read_memory_use(root) == MemoryUse(peak_mb=300, limit_mb=512, kills=1)


@pytest.mark.parametrize(
    ("kills", "peak_mb"), [(0, None), (1, 512)], ids=["unknown", "the-limit-was-reached"]
)
def test_memory_of_a_kernel_that_keeps_no_peak(
    tmp_path: Path, kills: int, peak_mb: int | None
) -> None:
    root = groups(tmp_path, memory_max=str(512 * MB), memory_events=f"oom_kill {kills}")

    assert read_memory_use(root) == MemoryUse(peak_mb=peak_mb, limit_mb=512, kills=kills)


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_memory_without_limit_has_none(tmp_path: Path, limit: str) -> None:
    root = groups(tmp_path, memory_peak="1", memory_max=limit, memory_events="oom_kill 0")

    found = read_memory_use(root)

    assert found is not None
    assert found.limit_mb is None


def test_memory_of_a_machine_without_control_groups_is_unknown(tmp_path: Path) -> None:
    assert read_memory_use(tmp_path) is None


def test_shortage_without_a_peak_says_the_limit() -> None:
    said = shortage("The run", peak_mb=None, limit_mb=512, resources="")

    assert said.endswith("it reached 512 MB of 512 MB.")
