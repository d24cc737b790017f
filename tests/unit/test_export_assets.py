"""Attachments become files."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from nb2prod.export.assets import embed_assets, extract_assets
from tests.helpers.notebooks import code, markdown, notebook


def attachment(content: bytes) -> dict[str, str]:
    return {"image/png": base64.b64encode(content).decode()}


def test_extract_assets_moves_attachments_to_files() -> None:
    cell = markdown(
        "![a](attachment:my%20plot.png) ![b](attachment:other.png)",
        attachments={"my plot.png": attachment(b"one")},
    )
    plain, assets = extract_assets(notebook(cell, code("x")))

    assert assets == {"assets/my-plot.png": b"one"}
    assert plain.cells[0].source == "![a](assets/my-plot.png) ![b](attachment:other.png)"
    assert plain.cells[0].attachments == {}


def test_extract_assets_of_one_name_twice_gives_two_files_in_any_order() -> None:
    one = markdown("![](attachment:image.png)", attachments={"image.png": attachment(b"one")})
    two = markdown("![](attachment:image.png)", attachments={"image.png": attachment(b"two")})
    forwards, assets = extract_assets(notebook(one, two, one))
    backwards, same_assets = extract_assets(notebook(two, one))

    assert sorted(assets.values()) == [b"one", b"two"]
    assert assets == same_assets
    assert forwards.cells[0].source == forwards.cells[2].source == backwards.cells[1].source
    assert forwards.cells[0].source != forwards.cells[1].source


def test_extract_assets_of_a_hostile_name_stays_in_its_folder() -> None:
    cell = markdown("x", attachments={"../../.ssh/id": attachment(b"one"), "..": attachment(b"2")})
    _, assets = extract_assets(notebook(cell))

    assert set(assets) == {"assets/ssh-id", "assets/attachment"}


def test_extract_assets_of_damaged_data_leaves_it() -> None:
    cell = markdown("![](attachment:a.png)", attachments={"a.png": {"image/png": "é!"}})
    plain, assets = extract_assets(notebook(cell))

    assert assets == {}
    assert plain.cells[0] == cell


@pytest.mark.parametrize("name", ["map.png", "a b.png", "ümlaut.png"])
def test_embed_assets_puts_back_what_extract_assets_took_out(name: str) -> None:
    book = notebook(
        markdown(f"![x](attachment:{quote(name)})", attachments={name: attachment(b"one")}),
        markdown("see assets/map.png, which is no picture"),
    )
    plain, assets = extract_assets(book)

    again, taken_out_again = extract_assets(embed_assets(plain, assets))

    assert embed_assets(plain, assets).cells[1] == book.cells[1]
    assert "attachment:" in embed_assets(plain, assets).cells[0].source
    assert (again, taken_out_again) == (plain, assets)
