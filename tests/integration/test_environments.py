"""Environments of images: stored by who can look into them, read by who promotes."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nb2prod.errors import ImageMissing, InvalidInput, KernelUnavailable
from nb2prod.registry.environments import environment_of_image, store_environment
from nb2prod.registry.lock import OBSERVE_PROGRAM, observe_environment, parse_observation

IMAGE = "nb2prod/base:0.1"
ID = "sha256:" + "ab" * 32


def observation(**fields: object) -> str:
    said = {
        "python": "3.11.7",
        "pins": {"pandas": "2.2.0", "Babel": "1.0", "mine": "0.1"},
        "local": ["mine"],
        "imports": {"pandas": ["pandas"]},
        **fields,
    }
    return json.dumps(said)


def test_observe_program_alone_prints_what_is_read(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-I", "-c", OBSERVE_PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout

    assert parse_observation(printed) == observe_environment("python3")


def test_parse_observation_writes_the_lock_sorted_and_marks_what_is_local() -> None:
    observed = parse_observation(observation())

    assert observed.lock.text == (
        "Babel==1.0\nmine==0.1  # installed from a local folder\npandas==2.2.0\n"
    )
    assert (observed.lock.python, observed.lock.is_observed) == ("3.11.7", True)
    assert observed.local == ("mine",)
    assert observed.distributions == {"pandas": ("pandas",)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"python": 3}',
        observation(pins={"a\nb==1.0": "1"}),
        observation(pins={"a": "1\n--index-url http://evil.example"}),
        observation(pins={"a": ""}),
        observation(pins={"a": "1 # x"}),
        observation(python="3.11\nx"),
        observation(local="mine"),
    ],
    ids=range(11),
)
def test_parse_observation_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(KernelUnavailable, match="What is installed can't be read"):
        parse_observation(text)


@pytest.mark.parametrize("image_id", [ID, ID.removeprefix("sha256:")])
def test_environment_of_image_is_what_was_stored(tmp_path: Path, image_id: str) -> None:
    stored = store_environment(tmp_path, IMAGE, image_id, observation())

    assert stored == parse_observation(observation())
    assert environment_of_image(tmp_path, IMAGE) == stored
    files = sorted(path.name for path in (tmp_path / "environments").iterdir())
    assert files == [".lock", "ab" * 32 + ".json", "images.json"]
    assert json.loads((tmp_path / "environments/images.json").read_text()) == {IMAGE: "ab" * 32}


def test_environment_of_image_is_that_of_the_newest_id(tmp_path: Path) -> None:
    store_environment(tmp_path, IMAGE, ID, observation())
    store_environment(tmp_path, "team/other:1", ID, observation())
    newer = store_environment(tmp_path, IMAGE, "cd" * 32, observation(python="3.12.1"))

    assert environment_of_image(tmp_path, IMAGE) == newer
    assert environment_of_image(tmp_path, "team/other:1").lock.python == "3.11.7"


def test_environment_of_image_that_nobody_looked_into_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImageMissing, match="team/image:1 has installed is not known"):
        environment_of_image(tmp_path, "team/image:1")
    store_environment(tmp_path, IMAGE, ID, observation())
    with pytest.raises(ImageMissing):
        environment_of_image(tmp_path, "team/image:1")
    (tmp_path / "environments" / f"{'ab' * 32}.json").unlink()
    with pytest.raises(ImageMissing):
        environment_of_image(tmp_path, IMAGE)


def test_environment_of_image_for_a_kernel_that_images_lack_is_refused(tmp_path: Path) -> None:
    store_environment(tmp_path, IMAGE, ID, observation())

    with pytest.raises(KernelUnavailable, match=r"'conda-env'.*only 'python3'"):
        environment_of_image(tmp_path, IMAGE, "conda-env")


@pytest.mark.parametrize("content", ["no json", "[]", '{"nb2prod/base:0.1": "../../secret"}'])
def test_environment_of_image_with_a_spoiled_table_is_a_sentence(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/images.json").write_text(content)

    with pytest.raises(KernelUnavailable):
        environment_of_image(tmp_path, IMAGE)


@pytest.mark.parametrize(
    ("image_id", "text", "error"),
    [
        ("../../x", observation(), InvalidInput),
        ("sha256:ab", observation(), InvalidInput),
        (ID, "garbage", KernelUnavailable),
    ],
)
def test_store_environment_of_what_cannot_be_used_writes_nothing(
    tmp_path: Path, image_id: str, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        store_environment(tmp_path, IMAGE, image_id, text)

    assert not (tmp_path / "environments").exists()


def test_store_environment_by_many_at_once_forgets_no_image(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda number: store_environment(
                    tmp_path, f"image:{number}", f"{number:064x}", observation()
                ),
                range(20),
            )
        )

    assert all(environment_of_image(tmp_path, f"image:{number}").lock for number in range(20))
    assert len(json.loads((tmp_path / "environments/images.json").read_text())) == 20
