"""Puts the pages of the web site together in one folder, from which Sphinx builds it.

The folder is laid out as the project is, so that links between the project's own texts hold:
notebooks, RESULTS.md, model cards and figures lie where they lie there, site/pages beside them.
What a page would have to repeat is made here: the contents from chapters.yaml, a page a recipe, the
glossary from chapter 0. Needs nothing but PyYAML.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from posixpath import normpath

import yaml
from executions import execution_table, kept_table
from recipes import anchors, beside_the_papers, recipe_page, recipes, slug

PARTS = {
    "00": "Start",
    "01": "1: Half a face",
    "11": "2: Emotional education",
    "15": "3: Beyond",
    "19": "All results",
}
TEXTS = ("README.md", "GUIDE.md", "RESULTS.md", "CONTRIBUTING.md")
SHOWN = ("tests/own_code/*.*", "workflow/profiles/*/*", "outputs/reference/benchmarks/*.json")
REFERENCE = "outputs/reference"
CONTROL = "application/vnd.jupyter.widget-view+json"
WITHIN = re.compile(r"\]\(#([^)\s]+)\)")  # to a heading of the same chapter, as JupyterLab has it
LINK = re.compile(r"\]\((?!\w+:|[#/])([^)#\s]+)(#[^)\s]*)?\)")


class Stage:
    """The folders: the project, what Sphinx reads (source), what is copied whole (extra)."""

    def __init__(self, root: Path, build: Path) -> None:
        self.root, self.source, self.extra = root, build / "source", build / "extra"
        self.pages = site_pages(root)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the source."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def text(self, name: str, to: str | None = None) -> None:
        """One of the project's texts, its links made links of the site."""
        text = re.sub(r"\A---\n.*?\n---\n", "", (self.root / name).read_text("utf-8"), flags=re.S)
        self.write(to or name, self.relinked(text, str(Path(name).parent)))

    def relinked(self, text: str, folder: str) -> str:
        """Links to the project's files, from one that lies in ``folder``, as links of the site."""

        def new(found: re.Match[str]) -> str:
            target, anchor = normpath(f"{folder}/{found[1]}"), found[2] or ""
            for key in (target + anchor, target):
                if key in self.pages:
                    return f"](/{self.pages[key]})"
            if target.startswith(f"{REFERENCE}/") and not (self.root / target).exists():
                return "](/results.md)"  # of a recipe whose reference is still to come
            return f"](/{target}{anchor})" if (self.root / target).is_file() else found[0]

        return LINK.sub(new, text)

    def notebook(self, path: Path) -> None:
        """A chapter as it is kept, with its outputs; links change, and controls go.

        A page keeps their first picture; to work they would ask another host for scripts.
        """
        book = json.loads(path.read_text("utf-8"))
        book["metadata"].pop("widgets", None)
        for cell in book["cells"]:
            if cell["cell_type"] == "markdown":
                text = self.relinked("".join(cell["source"]), "notebooks")
                cell["source"] = WITHIN.sub(lambda found: f"](#{slug(found[1])})", text)
            if "outputs" in cell:
                cell["outputs"] = [o for o in cell["outputs"] if CONTROL not in o.get("data", {})]
        self.write(f"notebooks/{path.name}", json.dumps(book, indent=1))


def site_pages(root: Path) -> dict[str, str]:
    """Where the site shows what the project's texts link to: path there -> page here."""
    pages = {"README.md": "index.md", "models": "models/index.md", REFERENCE: "results.md"}
    pages |= {"GUIDE.md": "run.md", "tests/own_code": "own-network.md"}
    for page in (root / "site" / "pages").glob("*.md"):  # whoever includes a section stands for it
        for heading in re.findall(r'GUIDE\.md\n:start-after: "## (.*)"', page.read_text("utf-8")):
            pages[f"GUIDE.md#{slug(heading)}"] = page.name
    for name, folder in recipes(root / REFERENCE).items():
        here = f"{REFERENCE}/{name}"
        pages[here] = f"{here}/index.md"
        pages |= {f"{here}/{file}": f"{here}/{link}" for file, link in anchors(folder).items()}
    return pages


def contents(chapters: Mapping[str, Mapping]) -> str:
    """The chapters by parts, for the sidebar, and as a table."""
    parts: dict[str, list[str]] = {}
    rows = ["| | chapter | what happens |", "|---|---|---|"]
    for file, chapter in chapters.items():
        part = PARTS[max(first for first in PARTS if first <= file[:2])]
        parts.setdefault(part, []).append(f"/notebooks/{file}")
        link = f"[{chapter['title']}](/notebooks/{file}.ipynb)"
        rows.append(f"| {file[:2]} | {link} | {chapter['about']} |")
    trees = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {part}", "", *files, "```"])
        for part, files in parts.items()
    ]
    return "\n\n".join(["\n".join(rows), *trees]) + "\n"


def words(notebook: Path) -> tuple[str, str]:
    """The notation (a table) and the glossary (Sphinx's, so that search finds it) of chapter 0."""
    cells = ["".join(cell["source"]) for cell in json.loads(notebook.read_text("utf-8"))["cells"]]
    notation, glossary = (
        next(cell for cell in cells if cell.startswith(f"## {title}\n")).partition("\n")[2]
        for title in ("Notation", "Glossary")
    )
    entries = []
    for term, meaning in re.findall(r"^\| (\*\*.+?) \| (.+) \|$", glossary, re.MULTILINE):
        entries += [*re.findall(r"\*\*(.+?)\*\*", term), f"  {meaning}", ""]
    return notation, "\n".join(["```{glossary}", *entries[:-1], "```", ""])


def models(root: Path) -> str:
    """The list of models with a card."""
    lines = ["| model | what it is |", "|---|---|"]
    for card in sorted((root / "models").glob("*/*/card.md")):
        name = card.parent.relative_to(root)
        heading = re.search(r"^# (.*)$", card.read_text("utf-8"), re.MULTILINE)
        lines.append(f"| [`{name}`](/{name}/card.md) | {heading[1] if heading else ''} |")
    tree = ["```{toctree}", ":hidden:", ":glob:", "", "/models/*/*/card", "```"]
    return "\n".join([*lines, "", *tree, ""])


def whole_pages(root: Path, extra: Path) -> None:
    """The references' own pages, tables and figures, copied as they are (not the predictions)."""
    for name, folder in recipes(root / REFERENCE).items():
        there = extra / REFERENCE / name
        shutil.copytree(folder, there, ignore=shutil.ignore_patterns("*.parquet", ".*"))
        if (there / "index.html").is_file():  # index.html is the site's page of this recipe
            (there / "index.html").rename(there / "page.html")


def stage(root: Path, build: Path) -> None:
    """Put everything together under ``build``; what an earlier call made goes first."""
    for part in ("source", "extra", "html"):
        shutil.rmtree(build / part, ignore_errors=True)
    site = Stage(root, build)
    for page in sorted((root / "site" / "pages").rglob("*.md")):
        site.write(str(page.relative_to(root / "site" / "pages")), page.read_bytes())
    for name in TEXTS:
        site.text(name)
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        site.notebook(path)
    for card in (root / "models").glob("*/*/card.md"):
        site.text(str(card.relative_to(root)))
    pictures = [f"{REFERENCE}/*.png", f"{REFERENCE}/*/figures/*.png"]
    for path in (path for pattern in [*SHOWN, *pictures] for path in root.glob(pattern)):
        site.write(str(path.relative_to(root)), path.read_bytes())
    for name, folder in recipes(root / REFERENCE).items():
        config = root / "occkd_lib" / "config" / "recipes" / f"{name}.yaml"
        site.write(f"{REFERENCE}/{name}/index.md", recipe_page(folder, config))
    chapters = yaml.safe_load((root / "workflow" / "chapters.yaml").read_text("utf-8"))
    notation, glossary = words(root / "notebooks" / "00_start.ipynb")
    site.write("parts/contents.md", contents(chapters))
    site.write("parts/notation.md", site.relinked(notation, "notebooks"))
    site.write("parts/glossary.md", site.relinked(glossary, "notebooks"))
    site.write("parts/models.md", models(root))
    site.write("parts/papers.md", beside_the_papers(root / REFERENCE))
    site.write("parts/kept.md", kept_table(root / "notebooks", chapters))
    outputs = Path(os.environ.get("OCCKD_OUTPUTS", root / "outputs"))
    site.write("parts/executions.md", execution_table(outputs))
    whole_pages(root, site.extra)


if __name__ == "__main__":
    stage(Path(__file__).resolve().parents[1], Path(sys.argv[1]).resolve())
