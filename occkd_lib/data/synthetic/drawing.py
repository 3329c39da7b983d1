"""Draws faces, many at a time, from the numbers that describe them (see people.py).

Face coordinates run from -1 to 1, x to the right, y down; y = 0 is the middle row: eyes and brows
lie above it, the tip of the nose, cheeks and mouth below.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from occkd_lib.data.synthetic.canvas import REACH, Array, Canvas, col

HAZE = 0.45  # the middle grey that takes contrast away


def draw(p: SimpleNamespace, size: int, noise: Array, reach: float = REACH) -> Array:
    """Faces described by ``p`` (B numbers each) -> B x 3 x size x size uint8.

    noise: B x 1 x size x size, standard normal: the grain of the camera. reach: see ``Canvas``.
    """
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    v, u = np.meshgrid(axis, axis, indexing="ij")
    cos, sin = col(np.cos(p.roll) / p.zoom), col(np.sin(p.roll) / p.zoom)
    x = (u - col(p.shift_x)) * cos + (v - col(p.shift_y)) * sin
    y = (v - col(p.shift_y)) * cos - (u - col(p.shift_x)) * sin
    image = np.empty((len(p.zoom), 3, size, size), np.float32)
    image[:] = p.background[:, :, None, None]
    image *= (1 + col(p.backlight) * v)[:, None]
    still = Canvas(image, x, y, 2 / size, reach)
    face = replace(still, x=x - col(p.yaw) * np.maximum(1 - x * x, 0))  # features turn most
    hair_behind(still, p)
    head(still, p)
    eyes(face.crop(-0.6, 0.6, -0.5, 0.05).folded(), p)
    brows(face.crop(-0.6, 0.6, -0.72, -0.25).folded(), p)
    nose(face.crop(-0.22, 0.22, -0.35, 0.32).folded(), p)
    folds(face.crop(-0.55, 0.55, 0, 0.8).folded(), p)
    beard(face.crop(-0.75, 0.75, 0.1, 0.95), p)
    mouth(face.crop(-0.45, 0.45, 0.3, 0.85), p)
    hair(still.crop(-1, 1, -1, 0.75), p)
    return camera(image, u, v, p, noise)


def hair_behind(c: Canvas, p: SimpleNamespace) -> None:
    """Hair that falls behind the face, then neck and clothes."""
    middle = p.crown + 0.62
    long = c.ellipse(0, middle, p.face_width + p.volume + 0.06, p.length - middle, 0.35, above=0.62)
    c.paint(long, 0.75 * p.hair_colour, p.long)
    low = c.crop(-1, 1, 0.5, 1)
    low.paint(low.edge(col(p.neck) - np.abs(low.x)) * low.edge(low.y - 0.3), 0.72 * p.skin)
    low.paint(low.ellipse(0, 1.45, 1.0, 0.52), p.clothes)
    low.paint(low.ellipse(0, 0.88, p.neck, 0.16), 0.72 * p.skin)


def outline(c: Canvas, p: SimpleNamespace, soft: float = 0.0) -> Array:
    """The head without hair and ears."""
    height = p.chin + 0.08 * p.AU26 + 0.1
    return c.ellipse(0, -0.1, p.face_width, height, p.jaw, above=p.skull, soft=soft)


def head(c: Canvas, p: SimpleNamespace) -> None:
    """Ears, head, the light on a round form, cheeks, jowls."""
    ears = c.crop(-0.9, 0.9, -0.3, 0.2).folded()
    ears.paint(ears.ellipse(p.face_width + 0.01, -0.06, 0.09, 0.16), 0.84 * p.skin)
    shape = outline(c, p)
    c.paint(shape, p.skin)
    c.paint(shape * (1 - outline(c, p, soft=0.5)), 0.62 * p.skin, 0.7 + 0.25 * p.old_low)
    cheeks = c.crop(-0.65, 0.65, 0, 0.4).folded()
    apple = cheeks.ellipse(0.37, 0.22 - 0.06 * p.AU6, 0.17, 0.13, soft=0.2)
    cheeks.paint(apple, p.blush, np.clip(p.rosy + 0.3 * p.AU6, 0, 1))
    jowls = c.crop(-0.7, 0.7, 0.4, 0.9).folded()
    sag = jowls.stroke(0.28, 0.74, p.face_width * 0.8, 0.5, 0.05, 0.04, soft=0.06)
    jowls.paint(sag, 0.6 * p.skin, 0.75 * p.old_low)


def eyes(c: Canvas, p: SimpleNamespace) -> None:
    """Both eyes, lids, lashes, bags, crow's feet."""
    x, y, w = p.eye_gap, p.eye_height, p.eye_size
    socket = c.ellipse(x, y - 0.06, w * 1.3, 0.15, soft=0.15)
    c.paint(socket, 0.74 * p.skin, 0.45)
    c.paint(c.ellipse(x, y - 0.08, w * 1.05, 0.08, soft=0.05), p.eyeshadow, p.makeup)
    top = w * (0.52 + 0.42 * p.AU5 - 0.2 * p.AU7 - 0.14 * p.AU6 - 0.2 * p.old_up)
    bottom = w * (0.34 + 0.05 * p.AU5 - 0.2 * p.AU7 - 0.3 * p.AU6)
    tilt = p.eye_tilt * w
    opening = c.lens(x, y, w, top, bottom, tilt=tilt)
    c.paint(opening, p.sclera)
    iris = c.ellipse(x, y - 0.1 * w, 0.47 * w, 0.47 * w) * opening
    c.paint(iris, p.iris)
    c.paint(c.ellipse(x, y - 0.1 * w, 0.22 * w, 0.22 * w) * opening, 0.1 * p.iris)
    c.paint(c.ellipse(x + 0.16 * w, y - 0.28 * w, 0.1 * w, 0.1 * w) * opening, p.sclera, 0.9)
    ends = x - w, y - tilt, x + w, y + tilt
    c.paint(c.stroke(*ends, -top, p.lashes), p.lash_colour)
    c.paint(c.stroke(*ends, bottom, 0.02), 0.5 * p.skin, 0.7)
    wing = c.stroke(x + 0.7 * w, y - 0.3 * w, x + 1.3 * w, y - 0.45 * w, 0.02, p.lashes * 0.8)
    c.paint(wing, p.lash_colour, p.winged)
    c.paint(c.stroke(*ends, -top - 0.05, 0.02), 0.55 * p.skin, 0.6)
    bag = c.stroke(x - 0.8 * w, y + 0.05, x + w, y + 0.04, bottom + 0.02, 0.03)
    c.paint(bag, 0.6 * p.skin, np.clip(0.75 * p.old_up + 0.5 * p.AU6, 0, 1))
    crow = np.clip(0.9 * p.old_up + 0.4 * p.AU6, 0, 1)
    for rise in (-0.07, 0.0, 0.07):
        line = c.stroke(x + 1.2 * w, y + rise / 3, x + 1.2 * w + 0.11, y + rise, 0, 0.02)
        c.paint(line, 0.55 * p.skin, crow)


def brows(c: Canvas, p: SimpleNamespace) -> None:
    """Brows and what they do to the forehead: lines across it, and between the brows."""
    raised = 0.2 * p.AU1 + 0.8 * p.AU2
    for row in range(3):
        alpha = np.clip((1.1 - 0.1 * row) * p.old_up + 0.5 * raised, 0, 0.95)
        level = p.brow_height - 0.12 - 0.085 * row - 0.06 * raised
        c.paint(c.stroke(-0.3, level, 0.3, level, -0.02, 0.026), 0.58 * p.skin, alpha)
    inner_x = p.eye_gap - p.eye_size + 0.01 - 0.035 * p.AU4
    inner = p.brow_height - 0.14 * p.AU1 + 0.12 * p.AU4 * (1 - 0.6 * p.AU1) + 0.04 * p.AU9
    outer = p.brow_height + 0.02 - 0.14 * p.AU2 + 0.06 * p.AU1 * (1 - p.AU2)
    arch = -p.brow_arch * (1 - 0.7 * p.AU4) - 0.05 * p.AU2
    outer_x = p.eye_gap + p.eye_size + 0.06
    c.paint(c.stroke(inner_x, inner, outer_x, outer, arch, p.brow, taper=0.6), p.brow_colour, 0.9)
    frown = c.stroke(0.04, p.brow_height - 0.04, 0.05, p.brow_height + 0.1, 0, 0.026)
    c.paint(frown, 0.6 * p.skin, np.clip(0.8 * p.AU4 + 0.2 * p.old_up - 0.15, 0, 0.9))


def nose(c: Canvas, p: SimpleNamespace) -> None:
    """Bridge, wings, nostrils; wrinkles at its sides when it is drawn up (AU9)."""
    up = 0.05 * p.AU9
    tip, w = p.nose - up, p.nose_width * (1 + 0.15 * p.AU9)
    c.paint(c.stroke(0.07, -0.22, w * 0.8, tip - 0.1, 0.015, 0.04, soft=0.05), 0.72 * p.skin, 0.6)
    c.paint(c.ellipse(0, tip - 0.04, 0.06, 0.05, soft=0.06), np.minimum(1.18 * p.skin, 1), 0.7)
    c.paint(c.stroke(w * 0.75, tip + 0.03, w, tip - 0.09, 0.035, 0.026), 0.58 * p.skin, 0.8)
    c.paint(c.ellipse(w * 0.45, tip + 0.025, 0.036, 0.02), 0.35 * p.skin, 0.85)
    for rise in (0.18, 0.12):
        wrinkle = c.stroke(0.03, tip - rise, 0.12, tip - rise + 0.04, -0.01, 0.028, taper=0.5)
        c.paint(wrinkle, 0.6 * p.skin, np.clip(1.1 * p.AU9 - 0.15, 0, 0.85))


def folds(c: Canvas, p: SimpleNamespace) -> None:
    """Nasolabial folds and marionette lines: of age, of a smile, of disgust."""
    smile = 0.5 * (p.AU12L + p.AU12R)
    alpha = np.clip(0.95 * p.old_low + 0.4 * smile + 0.7 * p.AU9, 0, 0.95)
    end = 0.31 + 0.05 * smile
    fold = c.stroke(p.nose_width + 0.03, p.nose - 0.04, end, p.mouth - 0.06 * smile, -0.04, 0.03)
    c.paint(fold, 0.6 * p.skin, alpha)
    line = c.stroke(0.27, p.mouth + 0.05, 0.29, p.mouth + 0.2, -0.01, 0.026)
    c.paint(line, 0.6 * p.skin, np.clip(1.1 * p.old_low - 0.15 + 0.2 * p.AU15, 0, 0.95))


def beard(c: Canvas, p: SimpleNamespace) -> None:
    """Stubble or beard along the jaw and above the lip."""
    cheek = c.ellipse(0, 0.1, p.face_width * 0.86, p.mouth - 0.02, soft=0.12)
    lip = c.ellipse(0, p.mouth - 0.13, 0.26, 0.06, soft=0.05)
    jaw = outline(c, p) * (1 - cheek) * c.edge(c.y - 0.15, 0.3)
    c.paint(np.maximum(jaw, lip), p.beard_colour, p.beard)


def mouth(c: Canvas, p: SimpleNamespace) -> None:
    """Lips, mouth opening, teeth; the chin under it."""
    smile = 0.5 * (p.AU12L + p.AU12R)
    width = p.mouth_width * (1 + 0.28 * smile + 0.3 * p.AU20 - 0.35 * p.AU23 - 0.22 * p.AU26)
    width = width * (1 + 0.12 * p.AU20 * p.AU26)
    bend = 0.01 + 0.16 * smile - 0.14 * p.AU15 - 0.03 * p.AU20
    skew = 0.2 * (p.AU12R - p.AU12L)
    y = p.mouth + 0.5 * bend + 0.04 * p.AU26
    tight = 1 - 0.65 * np.clip(p.AU23, 0, 1) - 0.25 * np.clip(smile, 0, 1)
    gap_up = 0.07 * p.AU26 + 0.035 * p.AU25
    gap_low = 0.13 * p.AU26 + 0.05 * p.AU25 + 0.07 * p.AU16
    upper, lower = p.lips * tight, 1.35 * p.lips * tight
    line = {"bend": bend, "skew": skew}
    shadow = c.ellipse(0, y + gap_low + lower + 0.045, 0.13, 0.03, soft=0.06)
    c.paint(shadow, 0.66 * p.skin, 0.3 + 0.5 * np.clip(p.AU17, 0, 1))
    c.paint(c.lens(0, y, width, gap_up + upper, gap_low + lower, **line), p.lip_colour)
    inside = c.lens(0, y, width * 0.93, gap_up + 0.012, gap_low + 0.012, **line)
    c.paint(inside, p.inside)
    teeth = c.lens(0, y, width * 0.85, gap_up, np.minimum(0.02, gap_low), **line)
    c.paint(teeth, p.sclera, np.clip(1.6 * (p.AU25 - 0.5 * p.AU26), 0, 0.95))
    bottom_teeth = c.lens(0, y + gap_low - 0.03, width * 0.6, 0.02, 0.02)
    c.paint(bottom_teeth * inside, p.sclera, np.clip(1.2 * p.AU16 - 0.2, 0, 0.8))
    for side, dimple in ((-1, p.AU14L), (1, p.AU14R)):
        corner = side * (width + 0.04)
        crease = c.stroke(corner, y - bend - 0.09, corner, y - bend + 0.05, -0.03 * side, 0.035)
        c.paint(crease, 0.5 * p.skin, np.clip(1.1 * dimple - 0.15, 0, 0.9))


def hair(c: Canvas, p: SimpleNamespace) -> None:
    """Hair in front: above the hairline, and down the temples."""
    cap = c.ellipse(0, p.crown + 0.62, p.face_width + p.volume, 0.64)
    line = col(p.hairline) + col(p.parting) * c.x + col(p.temples) * c.x * c.x
    front = cap * c.edge(line - c.y, 0.03)
    c.paint(front, p.hair_colour, p.hairy * p.dense)
    gloss = c.ellipse(-0.15, p.crown + 0.16, 0.4, 0.07, soft=0.15) * front
    c.paint(gloss, np.minimum(1.35 * p.hair_colour + 0.03, 1), 0.6 * p.hairy)
    inner = c.ellipse(0, -0.05, p.face_width - 0.03, 0.8, soft=0.03)
    sides = cap * (1 - inner) * c.edge(col(p.sideburn) - c.y, 0.1)
    c.paint(sides, 0.92 * p.hair_colour, p.hairy)


def camera(image: Array, u: Array, v: Array, p: SimpleNamespace, noise: Array) -> Array:
    """Light from one side, blur, haze, exposure, grain; 0..1 float -> uint8."""
    image *= (1 + col(p.light_x) * u + col(p.light_y) * v)[:, None]
    for axis in (2, 3):
        near = 0.5 * (np.roll(image, 1, axis) + np.roll(image, -1, axis))
        image += p.blur[:, None, None, None] * (near - image)
    image += p.haze[:, None, None, None] * (HAZE - image)
    image = image * p.gain[:, None, None, None] + p.grain[:, None, None, None] * noise
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
