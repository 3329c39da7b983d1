"""The people of the built-in faces: who they are, what they show, how they are photographed.

Expressions are made of facial action units (Ekman & Friesen's FACS), each active to a random
degree. Signs of gender and age are spread over both halves, and the two halves vary partly on
their own, so that a hidden half takes information away that the visible one does not repeat.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from occkd_lib.data.synthetic.drawing import draw
from occkd_lib.data.synthetic.populations import POPULATIONS, Population
from occkd_lib.data.vocabularies import EXPRESSIONS

# How strongly each expression shows each action unit, 0..1: which ones follows the EMFACS
# prototypes, the degrees are our own.
# Upper half: 1, 2 inner, outer brow raised; 4 brow lowered; 5 upper lid raised; 6 cheek raised,
# 7 lids tight. Lower half: 9 nose wrinkled; 12 lip corners up; 14 dimple; 15 corners down;
# 16 lower lip down; 17 chin raised; 20 lips stretched; 23 lips tight; 25 lips apart; 26 jaw drops.
ACTION_UNITS: dict[str, dict[str, float]] = {
    "neutral": {},
    "happiness": {"AU6": 0.8, "AU12L": 0.9, "AU12R": 0.9, "AU25": 0.7},
    "surprise": {"AU1": 0.8, "AU2": 1.0, "AU5": 0.6, "AU25": 0.4, "AU26": 0.9},
    "sadness": {"AU1": 0.9, "AU4": 0.5, "AU7": 0.2, "AU15": 0.9, "AU17": 0.6},
    "anger": {"AU4": 1.0, "AU5": 0.5, "AU7": 0.5, "AU17": 0.5, "AU23": 1.0},
    "disgust": {"AU4": 0.3, "AU7": 0.9, "AU9": 1.0, "AU15": 0.5, "AU16": 0.7},
    "fear": {"AU1": 0.8, "AU2": 0.2, "AU4": 0.9, "AU5": 1.0, "AU20": 0.9, "AU25": 0.5, "AU26": 0.4},
    "contempt": {"AU12R": 0.9, "AU14R": 0.9},
}
UPPER = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7")
LOWER = (
    "AU9", "AU12L", "AU12R", "AU14L", "AU14R", "AU15", "AU16", "AU17", "AU20", "AU23", "AU25",
    "AU26",
)  # fmt: skip

SKIN = ((0.98, 0.84, 0.74), (0.93, 0.75, 0.61), (0.80, 0.60, 0.45), (0.60, 0.42, 0.30),
        (0.42, 0.28, 0.20))  # fmt: skip
HAIR = ((0.08, 0.07, 0.07), (0.17, 0.11, 0.08), (0.33, 0.20, 0.12), (0.52, 0.28, 0.14),
        (0.80, 0.63, 0.36))  # fmt: skip
IRIS = ((0.20, 0.12, 0.07), (0.35, 0.22, 0.12), (0.35, 0.40, 0.25), (0.30, 0.45, 0.60))
STUDIO = POPULATIONS["studio"]
CHUNK = 32  # faces drawn at a time: their canvases fit in the processor's cache


def draw_all(
    people: SimpleNamespace, n: int, seed: int, size: int, of: Population = STUDIO
) -> np.ndarray:
    """The pictures of ``n`` people: n x 3 x size x size, uint8."""
    grain = np.random.default_rng([seed, 1, *of.stream])
    images = np.empty((n, 3, size, size), np.uint8)
    for start in range(0, n, CHUNK):
        part = SimpleNamespace(**{k: v[start : start + CHUNK] for k, v in vars(people).items()})
        noise = grain.standard_normal((len(part.zoom), 1, size, size), np.float32)
        images[start : start + CHUNK] = draw(part, size, noise, of.reach)
    return images


def describe(
    n: int, rng: np.random.Generator, of: Population = STUDIO
) -> tuple[SimpleNamespace, pd.DataFrame]:
    """Who the ``n`` people are and what they show: the numbers ``draw`` needs, and the truth."""
    in_turn = np.repeat(np.arange(len(EXPRESSIONS)), of.expressions)
    expression = in_turn[rng.permutation(n) % len(in_turn)]
    gender = rng.permutation(n) % 2
    age = np.round(1 + 89 * rng.beta(*of.age, n))
    people = SimpleNamespace(
        **action_units(expression, rng),
        **features(gender, age, rng, of.tone),
        **pictures(n, rng, of),
    )
    for name, value in vars(people).items():
        setattr(people, name, value.astype(np.float32))
    return people, pd.DataFrame({"expression": expression, "gender": gender, "age": age})


def action_units(expression: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Intensity of every action unit. The two halves are displayed with strengths of their own."""
    n = len(expression)
    shown = {}
    for half in (UPPER, LOWER):
        strength = rng.beta(3.5, 1.5, n) * 1.2
        for unit in half:
            prototype = np.array([ACTION_UNITS[name].get(unit, 0.0) for name in EXPRESSIONS])
            degree = strength * rng.uniform(0.6, 1.2, n) * prototype[expression]
            habit = rng.normal(0, 0.07, n)  # nobody's resting face is quite at rest
            shown[unit] = np.clip(degree + habit, 0, 1.3)
    # a one-sided smile is as likely left as right
    swap = rng.random(n) < 0.5
    for unit in ("AU12", "AU14"):
        left, right = shown[f"{unit}L"], shown[f"{unit}R"]
        shown[f"{unit}L"] = np.where(swap, right, left)
        shown[f"{unit}R"] = np.where(swap, left, right)
    return shown


def features(
    gender: np.ndarray, age: np.ndarray, rng: np.random.Generator, tones: tuple[float, float]
) -> dict[str, np.ndarray]:
    """Features of a person: bones, skin, hair, make-up, by gender and age, half by half."""
    n = len(gender)

    def about(mean, spread):
        return mean + spread * rng.standard_normal(n)

    def chance(probability):
        return rng.random(n) < probability

    woman = gender == 1
    grown_up = np.clip((age - 8) / 12, 0, 1)
    # how female and how old each half looks: the truth, blurred on its own in either half
    female = np.where(woman, 1.0, -1.0) * (0.35 + 0.65 * grown_up)
    fem_up, fem_low = about(female, 0.75), about(female, 0.75)
    seems_up, seems_low = (np.clip(about(age, 1.5 + 0.09 * age), 0, 95) for _ in range(2))
    old_up, old_low = (np.clip((a - 18) / 62, 0, 1.1) for a in (seems_up, seems_low))
    child_up, child_low = (np.exp(-((a / 11) ** 1.5)) for a in (seems_up, seems_low))
    tone = rng.uniform(*tones, n)
    skin = _blend(SKIN, tone) * about(1, 0.03)[:, None]
    natural = _blend(HAIR, np.clip(rng.uniform(0, 4.6, n) - 0.9 * tone, 0, 4))
    grey = np.clip((seems_up - rng.normal(52, 11, n)) / 16, 0, 1)[:, None] * 0.9
    hair = natural + grey * (rng.uniform(0.62, 0.85, (n, 1)) - natural)
    brow_colour = 0.75 * (natural + 0.6 * grey * (0.6 - natural)) + 0.12 * skin
    brow_colour += 0.4 * child_up[:, None] * (0.7 * skin - brow_colour)
    receding = rng.normal(0.6, 0.6, n) * np.clip((seems_up - 22) / 40, 0, 1)
    receding = ~woman * np.clip(receding, 0, 1.3)
    long_hair = chance(np.where(woman, 0.7, 0.08))
    bearded = ~woman & (age > 17) & chance(0.45)
    lipstick = woman & (age > 15) & chance(0.45)
    made_up = woman & (age > 15) & chance(0.4)
    lip = skin * np.array([0.92, 0.66, 0.64])
    red = rng.uniform((0.6, 0.08, 0.15), (0.85, 0.3, 0.4), (n, 3))
    shade = rng.uniform(0.2, 0.6, (n, 3))
    eye_size = about(0.165 + 0.06 * child_up + 0.005 * fem_up - 0.015 * old_up, 0.006)
    return {
        "skin": skin,
        "face_width": about(0.66 + 0.04 * child_low - 0.012 * fem_low, 0.018),
        "skull": about(0.76, 0.015),
        "chin": about(0.86 - 0.2 * child_low - 0.012 * fem_low, 0.02),
        "jaw": about(0.06 - 0.06 * fem_low + 0.12 * old_low - 0.03 * child_low, 0.035),
        "neck": about(0.42 - 0.04 * fem_low - 0.2 * child_low, 0.02),
        "old_up": old_up,
        "old_low": old_low,
        "eye_gap": about(0.29 + 0.03 * child_up, 0.012),
        "eye_height": about(-0.17 + 0.05 * child_up, 0.015),
        "eye_size": eye_size,
        "eye_tilt": about(-0.08 - 0.05 * fem_up + 0.16 * old_up, 0.06),
        "iris": _blend(IRIS, np.clip(rng.uniform(0, 4, n) - 0.7 * tone, 0, 3)),
        "sclera": np.full((n, 3), (0.95, 0.94, 0.93)),
        "lashes": np.clip(about(0.04 + 0.01 * fem_up, 0.006), 0.025, 0.07),
        "lash_colour": 0.25 * skin * np.where(made_up, 0.4, 1)[:, None],
        "winged": made_up * 0.8,
        "eyeshadow": shade,
        "makeup": made_up * rng.uniform(0.2, 0.6, n),
        "brow": np.clip(about(0.075 - 0.014 * fem_up - 0.035 * child_up, 0.01), 0.03, 0.12),
        "brow_arch": about(0.03 + 0.012 * fem_up, 0.01),
        "brow_height": about(-0.41 + 0.04 * child_up - 0.012 * fem_up, 0.012),
        "brow_colour": brow_colour,
        "nose": about(0.2 - 0.11 * child_low + 0.03 * old_low, 0.012),
        "nose_width": about(0.13 - 0.01 * fem_low - 0.035 * child_low + 0.01 * old_low, 0.01),
        "mouth": about(0.5 - 0.1 * child_low, 0.015),
        "mouth_width": about(0.27 - 0.08 * child_low, 0.015),
        "lips": np.clip(about(0.05 + 0.008 * fem_low - 0.024 * old_low, 0.006), 0.015, 0.08),
        "lip_colour": np.where(lipstick[:, None], 0.8 * red + 0.2 * lip, lip),
        "inside": np.full((n, 3), (0.25, 0.06, 0.07)),
        "blush": np.clip(skin * (1.05, 0.78, 0.75), 0, 1),
        "rosy": np.clip(about(0.15 + 0.35 * child_low + 0.06 * fem_low, 0.12), 0, 0.8),
        "beard": bearded * rng.uniform(0.15, 0.85, n),
        "beard_colour": 0.8 * hair + 0.1 * skin,
        "hair_colour": hair,
        "hairy": np.clip(1 - np.clip(receding - 0.75, 0, 1) * 2, 0.15, 1),
        "dense": np.clip(1 - 0.4 * np.clip(old_up - 0.5, 0, 1), 0, 1),
        "volume": np.clip(about(0.06 + 0.03 * long_hair, 0.02), 0.02, 0.2),
        "crown": about(-0.96, 0.02),
        "long": long_hair * 1.0,
        "length": np.clip(about(1.0, 0.25), 0.6, 1.5),
        "hairline": about(-0.64 - 0.05 * child_up - 0.16 * receding, 0.05),
        "parting": about(0, 0.12),
        "temples": about(0.35 + 0.5 * long_hair - 0.4 * receding, 0.2),
        "sideburn": np.where(long_hair, 0.7, about(-0.15 - 0.05 * fem_up, 0.08)),
    }


def pictures(n: int, rng: np.random.Generator, of: Population) -> dict[str, np.ndarray]:
    """How the picture was taken: pose, light, background, camera."""

    def normal(spread, most):
        return rng.normal(0, spread, n).clip(-most, most)

    taken = {
        "shift_x": rng.uniform(*of.shift_x, n),
        "shift_y": rng.uniform(*of.shift_y, n),
        "zoom": rng.uniform(*of.zoom, n),
        "roll": normal(*of.roll),
        "yaw": normal(*of.yaw),
        "light_x": normal(*of.light_x),
        "light_y": normal(*of.light_y),
        "background": rng.uniform(*of.backdrop, (n, 1)) + rng.uniform(-0.12, 0.12, (n, 3)),
        "backlight": rng.uniform(-0.25, 0.1, n),
        "clothes": rng.uniform(0.1, 0.8, (n, 3)),
        "blur": rng.uniform(*of.blur, n),
        "gain": of.exposure * rng.normal(1, 0.08, n).clip(0.75, 1.15),
        "grain": rng.uniform(*of.grain, n),
    }
    return {**taken, "haze": rng.uniform(*of.haze, n)}  # last, so that the first are as ever


def _blend(palette: tuple, position: np.ndarray) -> np.ndarray:
    """Colours at fractional positions of a palette: n -> n x 3."""
    colours = np.array(palette)
    places = np.arange(len(colours))
    return np.stack([np.interp(position, places, colours[:, k]) for k in range(3)], axis=1)
