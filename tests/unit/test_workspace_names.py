"""Names of people, projects and images; who people are as authors; which role includes which."""

from __future__ import annotations

import pytest

from nb2prod.errors import NameInvalid
from nb2prod.store.git import Author
from nb2prod.workspace.models import Role
from nb2prod.workspace.names import check_image, check_title
from nb2prod.workspace.people import author_of, check_person_name

BAD_PEOPLE = [
    "",
    " ",
    "a/b",
    "../a",
    "a\nb",
    "a\0",
    "a\x7f",
    "a\u202eb",
    "\ud800",
    " a",
    "a ",
    "é" * 256,
]


@pytest.mark.parametrize("name", ["a", "ada@example.org", "Ada Lovelace", "日本", "é" * 255, ".."])
def test_check_person_name_of_a_hub_user_gives_it_back(name: str) -> None:
    assert check_person_name(name) == name


@pytest.mark.parametrize("name", BAD_PEOPLE, ids=ascii)
def test_check_person_name_that_no_hub_gives_is_refused(name: str) -> None:
    with pytest.raises(NameInvalid, match="no name of a person"):
        check_person_name(name)


@pytest.mark.parametrize(
    "image",
    ["nb2prod/base:0.1", "localhost:5000/team/image:v1", "a@sha256:" + "0" * 64, "ubuntu"],
)
def test_check_image_of_a_real_name_gives_it_back(image: str) -> None:
    assert check_image(image) == image


@pytest.mark.parametrize("image", ["", "-v", "a b", "a\n", "--privileged", "a;b", "a" * 256])
def test_check_image_of_something_else_is_refused(image: str) -> None:
    with pytest.raises(NameInvalid, match="container image"):
        check_image(image)


@pytest.mark.parametrize("title", ["a\nb", "a\0b", "x" * 201])
def test_check_title_of_several_lines_is_refused(title: str) -> None:
    with pytest.raises(NameInvalid, match="one line"):
        check_title(title)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("A <b@c> D", "A b@c D"),
        ("two\nlines\r\0", "two lines"),
        ("<>", "unknown"),
        ("...", "unknown"),
        ("", "unknown"),
        ("\ud800x", "?x"),
        ("日本", "日本"),
    ],
    ids=ascii,
)
def test_author_of_an_odd_name_is_one_that_git_can_write(name: str, written: str) -> None:
    environment = Author(name=name, email="a <b>\n@c").environment

    assert environment["GIT_AUTHOR_NAME"] == environment["GIT_COMMITTER_NAME"] == written
    assert environment["GIT_AUTHOR_EMAIL"] == environment["GIT_COMMITTER_EMAIL"] == "ab@c"


def test_author_of_two_people_has_two_addresses() -> None:
    assert author_of("ada").email != author_of("Ada").email
    assert "<" not in author_of("A <root@example.org>").email


@pytest.mark.parametrize(
    ("role", "included"),
    [
        (Role.OWNER, {Role.OWNER, Role.EDITOR, Role.VIEWER}),
        (Role.EDITOR, {Role.EDITOR, Role.VIEWER}),
        (Role.VIEWER, {Role.VIEWER}),
    ],
)
def test_role_includes_the_lower_ones(role: Role, included: set[Role]) -> None:
    assert {other for other in Role if role.includes(other)} == included
