"""A reading of rendered markup by another parser than those that cleaned it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from html.parser import HTMLParser

from nb2prod.knowledge.models import PageDocument

# Written out here, not imported: the product's own lists are what is being tested.
PLAIN_TAGS = (
    "abbr b blockquote br caption cite code col colgroup dd del details dl dt em figcaption"
    " figure hr i ins kbd li mark q s samp small strong sub summary sup table tbody tfoot"
    " thead tr u ul var"
)
ALLOWED: dict[str, AbstractSet[str]] = {
    "a": {"href", "title", "rel", "class"},
    "img": {"src", "alt", "width", "height", "loading"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "class"},
    "th": {"colspan", "rowspan", "class", "scope"},
    "span": {"class", "data-display"},
    "pre": {"class"},
    "div": {"class"},
    "p": {"class"},
    **{f"h{level}": {"id"} for level in range(1, 7)},
    **dict.fromkeys(PLAIN_TAGS.split(), frozenset()),
}
OUR_CLASSES = {
    "align-left", "align-right", "align-center", "code", "control", "formula", "latex", "json",
    "math", "missing-image", "notice", "plain", "prose", "remote-image", "rich", "stderr",
    "stdout", "text", "traceback",
}  # fmt: skip


class Reading(HTMLParser):
    """What a markup holds: its tags with attributes, its faults, and its text."""

    def __init__(self, markup: str, run_id: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self.text = ""
        self._run_id = run_id
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in ALLOWED:
            self.faults.append(f"tag {tag}")
            return
        self.faults += [f"attribute {tag}.{name}" for name in found if name not in ALLOWED[tag]]
        self.faults += [f"twice {tag}.{name}" for name, _ in attrs if len(found) != len(attrs)]
        self._check_addresses(found)
        for name in (found.get("class") or "").split():
            if name not in OUR_CLASSES and not name.startswith("ansi-") and len(name) > 3:
                self.faults.append(f"class {name}")
        if not (found.get("id") or "h-").startswith("h-"):
            self.faults.append(f"id {found['id']}")

    def _check_addresses(self, found: dict[str, str | None]) -> None:
        href, src = found.get("href"), found.get("src")
        if "href" in found and not (href or "").lower().startswith(
            ("https://", "http://", "mailto:", "#h-")
        ):
            self.faults.append(f"href {href}")
        if "src" in found and not (src or "").startswith(f"{self._run_id}/blobs/"):
            self.faults.append(f"src {src}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data}")


def markups(document: PageDocument) -> list[str]:
    """Every field of a page that a template may print as markup."""
    return [
        document.conclusion_html,
        *(cell.html for cell in document.cells),
        *(output.html for cell in document.cells for output in cell.outputs),
    ]
