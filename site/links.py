"""Does every link of the built site lead somewhere, and does no page ask another host for anything?

python site/links.py build/site/html
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ASIDE = ("data", "mailto", "javascript")  # schemes that ask no host
STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """A page's anchors, and what it links to: pairs of tag and address."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif name in ("href", "src") and value:
                self.links.append((tag, value))


def fault(
    here: Path, tag: str, address: str, pages: dict[Path, Page], files: set[Path]
) -> str | None:
    """What is wrong with an address in the file ``here``; None where nothing is."""
    found = urlsplit(address)
    if found.scheme in ASIDE:
        return None
    if found.scheme or found.netloc:
        return None if tag == "a" else "asks another host"
    path = (here.parent / unquote(found.path)).resolve() if found.path else here
    if path not in files:
        return "leads nowhere"
    anchor = unquote(found.fragment)
    if anchor and path in pages and anchor not in pages[path].anchors:
        return "leads to no anchor"
    return None


def faults(site: Path) -> tuple[list[str], int]:
    """A line for every wrong link of a built site, and how many links there are."""
    files = {path.resolve() for path in site.rglob("*") if path.is_file()}
    pages = {path: Page(path) for path in sorted(files) if path.suffix == ".html"}
    links = [(path, *link) for path, page in pages.items() for link in page.links]
    for path in (path for path in sorted(files) if path.suffix == ".css"):
        found = STYLE.findall(path.read_text("utf-8"))
        links += [(path, "style", url or imported) for url, imported in found]
    lines = []
    for here, tag, address in links:
        if wrong := fault(here, tag, address, pages, files):
            lines.append(f"{here.relative_to(site.resolve())}: <{tag}> {address} {wrong}")
    return lines, len(links)


if __name__ == "__main__":
    wrong, number = faults(Path(sys.argv[1]))
    print("\n".join(wrong) or f"All {number} links lead somewhere; no page asks another host.")
    sys.exit(bool(wrong))
