"""Every link of a built site leads somewhere; nothing is asked of another host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from links import faults

SCRIPT = Path(__file__).parents[2] / "site" / "links.py"

GOOD = """<h1 id="top">A</h1><a name="old"></a><a href="sub/b.html#here">b</a> <a href="#top">up</a>
<a href="#old">old</a> <a href="https://example.org/x">out</a> <a href="mailto:a@example.org">m</a>
<img src="sub/a%20b.png"><img src="data:image/png;base64,AA=="><link href="style.css?v=1">
<a href="sub/a%20b.png#page=2">a picture has no anchors to miss</a> <a href="">here</a>"""


@pytest.fixture
def site(tmp_path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "sub" / "b.html").write_text('<p id="here"><a href="../a.html#top">a</a></p>')
    (tmp_path / "sub" / "a b.png").write_text("")
    (tmp_path / "style.css").write_text("p { background: url('sub/a b.png') }")
    return tmp_path


def test_a_good_site_has_no_faults(site):
    assert faults(site) == ([], 11)


@pytest.mark.parametrize(
    ("html", "wrong"),
    [
        ('<a href="c.html">', "<a> c.html leads nowhere"),
        ('<a href="sub">', "<a> sub leads nowhere"),  # a folder does not open without a server
        ('<a href="../secret">', "<a> ../secret leads nowhere"),
        ('<a href="a.html#no">', "<a> a.html#no leads to no anchor"),
        ('<a href="#none">', "<a> #none leads to no anchor"),
        ('<img src="c.png"/>', "<img> c.png leads nowhere"),
        ('<script src="https://x.org/a.js">', "<script> https://x.org/a.js asks another host"),
        ('<link href="//x.org/a.css">', "<link> //x.org/a.css asks another host"),
        ('<img src="http://x.org/a.png">', "<img> http://x.org/a.png asks another host"),
    ],
)
def test_each_fault_is_found(site, html, wrong):
    (site.parent / "secret").write_text("lies outside")
    (site / "wrong.html").write_text(html)
    lines, number = faults(site)
    assert lines == [f"wrong.html: {wrong}"] and number == 12


@pytest.mark.parametrize(
    "css", ["@font-face { src: url(https://x.org/f) }", "@import 'https://x.org/f'"]
)
def test_styles_may_not_ask_either(site, css):
    (site / "more.css").write_text(css)
    assert faults(site)[0] == ["more.css: <style> https://x.org/f asks another host"]


def test_make_stops_where_a_link_is_dead(site):
    command = [sys.executable, str(SCRIPT), str(site)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == "All 11 links lead somewhere; no page asks another host.\n"
    (site / "wrong.html").write_text('<a href="c.html">')
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 1 and said.stdout == "wrong.html: <a> c.html leads nowhere\n"
