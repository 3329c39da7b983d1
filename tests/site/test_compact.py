import pandas as pd
from PIL import Image

from occkd_lib.site.compact import COLOURS, WIDTH, html, png


def test_a_table_has_all_its_rows_in_few_bytes():
    table = pd.DataFrame({"n": range(200), "said": "a < b"}).rename_axis("face")
    text = html(table)
    assert text.count("<tr>") == 200 + 2 and "\n" not in text and "a &lt; b" in text
    cells = [f"<tr><th>{n}</th><td>{n}</td><td>a &lt; b</td></tr>" for n in range(200)]
    assert "".join(cells) in text


def test_a_picture_is_narrow_and_keeps_its_colours(tmp_path):
    image = Image.radial_gradient("L").convert("RGB").resize((1200, 600))
    image.paste((0, 114, 178), (0, 0, 200, 200))
    image.paste((213, 94, 0), (200, 0, 400, 200))
    image.save(tmp_path / "large.png")
    (tmp_path / "small.png").write_bytes(png(tmp_path / "large.png"))
    small = Image.open(tmp_path / "small.png")
    assert small.size == (WIDTH, WIDTH // 2)
    small = small.convert("RGB")
    assert len(small.getcolors()) <= COLOURS
    for x, colour in ((50, (0, 114, 178)), (150, (213, 94, 0))):
        assert max(abs(a - b) for a, b in zip(small.getpixel((x, 50)), colour, strict=True)) < 10


def test_a_narrow_picture_is_not_made_wider(tmp_path):
    Image.new("RGB", (100, 50), "red").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png(tmp_path / "a.png"))
    assert Image.open(tmp_path / "b.png").size == (100, 50)
