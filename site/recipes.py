"""A page for every recipe with a reference: its tables and figures, as its run has written them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import yaml
from tables import html_table, raw, told_once

ORDER = (  # what is read first; then what has no place here
    *("few-labels", "over-seeds", "table", "icpr", "emotional-education", "false-alarms"),
    *("views", "ablation", "grad-cam", "where"),
)
PAPERS = {
    "table": "the journal",
    "icpr-": "the ICPR paper",
    "emotional-education-": "emotional education",
}


def recipes(reference: Path) -> dict[str, Path]:
    """The folders of recipes with a reference, by name."""
    return {path.parent.name: path.parent for path in sorted(reference.glob("*/summary.csv"))}


def stems(folder: Path) -> list[str]:
    """The tables of a recipe that have a row of ours, in the order of reading."""
    found = [path.stem for path in folder.glob("*.tex") if not path.stem.endswith("-complete")]

    def place(stem: str) -> tuple[int, list]:
        first = next((i for i, start in enumerate(ORDER) if stem.startswith(start)), 99)
        return first, natural(stem)

    return sorted(found, key=place)


def natural(name: str) -> list[tuple[str, int]]:
    """A key to sort by: share_3 comes before share_10."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", name)]


def title(folder: Path, stem: str) -> str:
    """A table's title: its LaTeX caption, without the values that are told there once."""
    caption = re.search(r"\\caption\{(.*)\} \\\\", (folder / f"{stem}.tex").read_text("utf-8"))
    text = re.split(r"\. [\w %-]+: ", caption[1] if caption else stem)[0]
    return text.replace("\\", "").removesuffix(".")


def slug(heading: str) -> str:
    """The anchor that MyST, and GitHub, give to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def anchors(folder: Path) -> dict[str, str]:
    """Where the tables of a recipe are shown: its files, from the folder, and their anchors."""
    return {f"{stem}.md": f"index.md#{slug(title(folder, stem))}" for stem in stems(folder)}


def recipe_page(folder: Path, config: Path) -> str:
    """The page of a recipe in Markdown. config: its YAML file, for what it is about."""
    about = yaml.safe_load(config.read_text("utf-8"))["description"] if config.is_file() else ""
    files = ["summary.csv", "values.csv", "protocol.json"]
    links = [f'<a href="{file}">{file}</a>' for file in files if (folder / file).is_file()]
    if (folder / "index.html").is_file():
        links.insert(0, '<a href="page.html">all of it on one page</a>')
    parts = [
        f"# Results of `{folder.name}`",
        about,
        "[How to read the tables](/results.md). Click a column's head to sort by it.",
        raw(f"<p>{' · '.join(links)}</p>"),
    ]
    shown = stems(folder)
    for stem in shown:
        parts += [f"## {title(folder, stem)}", table_part(folder, stem)]
    others = [p.stem for p in folder.glob("figures/*.png") if p.stem not in shown]
    others.sort(key=natural)
    for name in dict.fromkeys(stem.split("-")[0] for stem in others):
        figures = "\n".join(figure(s) for s in others if s.split("-")[0] == name)
        parts += [f"## Figures of experiment {name}", raw(f'<div class="figures">{figures}</div>')]
    return "\n\n".join(parts) + "\n"


def table_part(folder: Path, stem: str) -> str:
    """A table, the figure that belongs to it, and its files."""
    with open(folder / f"{stem}.csv", encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    columns, rows, same = told_once(columns, rows)
    html = figure(stem) if (folder / "figures" / f"{stem}.png").is_file() else ""
    if same:
        html += f"<p>All rows: {'; '.join(f'{name}: {value}' for name, value in same.items())}.</p>"
    html += html_table(columns, rows) + f"<p>{files(stem)}"
    if (folder / f"{stem}-complete.csv").is_file():
        html += f". With the published cells that have no run of ours: {files(f'{stem}-complete')}"
    return raw(f"{html}.</p>")


def figure(stem: str) -> str:
    """A figure of the recipe, in HTML; it is loaded when it is scrolled to."""
    words = re.sub("[-_]", " ", stem)
    image = f'<img loading="lazy" src="figures/{stem}.png" alt="{words}">'
    return (
        f'<figure><a href="figures/{stem}.png">{image}</a><figcaption>{words}</figcaption></figure>'
    )


def files(stem: str) -> str:
    """Links to the three forms of a table."""
    kinds = {"CSV": "csv", "Markdown": "md", "LaTeX": "tex"}
    return " · ".join(f'<a href="{stem}.{end}">{kind}</a>' for kind, end in kinds.items())


def beside_the_papers(reference: Path) -> str:
    """Which published table stands beside which recipe's numbers: a list with links."""
    lines = []
    for start, paper in PAPERS.items():
        lines.append(f"\n**{paper[0].upper()}{paper[1:]}**\n")
        found: dict[str, list[str]] = {}
        for name, folder in recipes(reference).items():
            for stem in (s for s in stems(folder) if s.startswith(start)):
                target = f"/outputs/reference/{name}/{anchors(folder)[f'{stem}.md']}"
                found.setdefault(title(folder, stem), []).append(f"[`{name}`]({target})")
        lines += [f"* {text}: {', '.join(links)}" for text, links in found.items()]
    return "\n".join(lines) + "\n"
