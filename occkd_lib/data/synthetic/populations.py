"""Two collections of drawn faces, gathered as two data sets are: other people, other pictures.

Whoever trains on one and tests on the other meets a shift of the kind between real data sets. Who
shows what how is drawn by the same rules in both, so the labels mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from occkd_lib.data.synthetic.canvas import REACH

Range = tuple[float, float]


@dataclass(frozen=True)
class Population:
    """Who is in a collection, and how they are photographed.

    stream: what its random numbers are told apart by; the first collection needs nothing.
    expressions: relative frequencies, in the order of EXPRESSIONS. age: a and b of the beta
    distribution between 1 and 90 years. tone: of the skin, 0 (light) to 4 (dark).
    Pictures: (low, high) of a uniform distribution, or (spread, most) of a normal one, cut off, for
    roll, yaw (in radians and in face coordinates) and the two lights. backdrop: brightness of the
    background. haze: share of a middle grey; negative for more contrast. blur: negative for harder
    lines. exposure: mean factor of brightness. reach: how far the pose can move a part of a face.
    """

    stream: tuple[int, ...] = ()
    expressions: tuple[int, ...] = (1, 1, 1, 1, 1, 1, 1, 1)
    age: Range = (1.3, 1.7)
    tone: Range = (0, 4)
    shift_x: Range = (-0.05, 0.05)
    shift_y: Range = (-0.04, 0.04)
    zoom: Range = (0.98, 1.1)
    roll: Range = (0.06, 0.15)
    yaw: Range = (0.05, 0.12)
    light_x: Range = (0.15, 0.35)
    light_y: Range = (0.14, 0.35)
    backdrop: Range = (0.15, 0.9)
    haze: Range = (0, 0)
    blur: Range = (0, 0.3)
    exposure: float = 1
    grain: Range = (0.004, 0.015)
    reach: float = REACH


# studio: every age, skin and expression equally welcome; upright, large, in even light.
# street: snapshots of mostly young, mostly darker people who smile or show nothing more often than
# anything else; heads tilted, turned, smaller and off the middle; light from one side, little
# contrast, hard lines. Trained on one, a network loses clearly on the other, in both directions.
POPULATIONS = MappingProxyType(
    {
        "studio": Population(),
        "street": Population(
            stream=(1,),
            expressions=(4, 4, 2, 3, 2, 2, 1, 2),
            age=(1.6, 3.6),
            tone=(1.5, 4),
            shift_x=(-0.1, 0.1),
            shift_y=(-0.04, 0.1),
            zoom=(0.78, 0.94),
            roll=(0.12, 0.3),
            yaw=(0.1, 0.22),
            light_x=(0.3, 0.55),
            light_y=(0.22, 0.45),
            backdrop=(0.05, 0.6),
            haze=(0.1, 0.35),
            blur=(-0.4, 0),
            exposure=0.95,
            grain=(0.008, 0.02),
            reach=0.45,
        ),
    }
)
