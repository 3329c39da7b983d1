"""Tables and pictures of few bytes, for a notebook that shows everything and is kept with git."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image

WIDTH, COLOURS = 540, 32  # of a picture: pixels, and what its lines, words and classes need


def html(table: pd.DataFrame) -> str:
    """A table with all of its rows, without the indents and styles that pandas gives each cell."""
    text = re.sub(r"\s*\n\s*", "", table.to_html(border=0, max_rows=None))
    return re.sub(r' (style="[^"]*"|valign="top")', "", text)


def png(path: Path) -> bytes:
    """A picture's file, no wider than WIDTH and of COLOURS: about half as large."""
    image = Image.open(path).convert("RGB")
    if image.width > WIDTH:
        height = round(image.height * WIDTH / image.width)
        image = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    # the colours that lie farthest apart: others would be greys, of the edges of letters
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    written = BytesIO()
    image.quantize(COLOURS, method, dither=dither).save(written, format="PNG", optimize=True)
    return written.getvalue()
