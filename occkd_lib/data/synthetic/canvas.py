"""A canvas in face coordinates, and the soft shapes that faces are painted with.

Every shape is a mask made from an approximate signed distance, one pixel wide at the edge, so that
nothing needs supersampling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray
Numbers = Array | float  # one a face, or one for all
REACH = 0.2  # how far the pose can move a part, in face coordinates, if nothing else is said


def col(value: Numbers) -> Array:
    """One number a face -> broadcastable over its pixels (B -> B x 1 x 1)."""
    array = np.asarray(value, np.float32)
    return array[:, None, None] if array.ndim else array


@dataclass(frozen=True)
class Canvas:
    """image: B x 3 x H x W in 0..1, painted in place. x, y: B x H x W face coordinates.

    pixel: width of one. reach: how far the pose can move a part; both in face coordinates.
    """

    image: Array
    x: Array
    y: Array
    pixel: float
    reach: float = REACH

    def crop(self, left: float, right: float, top: float, bottom: float) -> Canvas:
        """The part of the canvas that can hold this box; paints into the same image."""
        size, reach = self.image.shape[-1], self.reach
        ends = [(left - reach, right + reach), (top - reach, bottom + reach)]
        columns, rows = (
            slice(max(int((a + 1) / 2 * size), 0), int((b + 1) / 2 * size) + 1) for a, b in ends
        )
        return replace(
            self,
            image=self.image[:, :, rows, columns],
            x=self.x[:, rows, columns],
            y=self.y[:, rows, columns],
        )

    def folded(self) -> Canvas:
        """Both sides of the face at once: what is painted at x appears at -x as well."""
        return replace(self, x=np.abs(self.x))

    def paint(self, mask: Array, colour: Array, alpha: Numbers = 1.0) -> None:
        """Lay ``colour`` (B x 3) over the image where ``mask`` (B x H x W) is 1."""
        image = self.image
        image += (mask * col(alpha))[:, None] * (colour[:, :, None, None] - image)

    def edge(self, inside: Array, soft: float = 0.0) -> Array:
        """Signed distance (positive inside) -> mask; ``soft`` widens the edge."""
        return np.clip(inside / (self.pixel + soft) + 0.5, 0, 1)

    def ellipse(
        self,
        x: Numbers,
        y: Numbers,
        width: Numbers,
        height: Numbers,
        jaw: Numbers = 0.0,
        above: Numbers | None = None,
        soft: float = 0.0,
    ) -> Array:
        """Ellipse with half axes ``width`` and ``height`` (``above`` its centre, if given).

        ``jaw`` > 0 squares its lower half.
        """
        v = self.y - col(y)
        v = v / (col(height) if above is None else np.where(v < 0, col(above), col(height)))
        low = np.clip(v, 0, 1)
        u = (self.x - col(x)) / (col(width) * (1 + col(jaw) * low * low))
        return self.edge((1 - np.sqrt(u * u + v * v)) * col(np.minimum(width, height)), soft)

    def stroke(
        self,
        x0: Numbers,
        y0: Numbers,
        x1: Numbers,
        y1: Numbers,
        bend: Numbers,
        width: Numbers,
        taper: float = 0.0,
        soft: float = 0.0,
    ) -> Array:
        """Curve from (x0, y0) to (x1, y1), its middle ``bend`` lower, thinned by ``taper``."""
        half_x, half_y = (x1 - x0) / 2, (y1 - y0) / 2
        half = np.hypot(half_x, half_y)
        cos, sin = half_x / half, half_y / half
        x, y = self.x - col(x0 + half_x), self.y - col(y0 + half_y)
        u = (x * col(cos) + y * col(sin)) / col(half)
        on = np.clip(u, -1, 1)
        across = y * col(cos) - x * col(sin) - col(bend) * (1 - on * on)
        along = (u - on) * col(half)
        distance = np.sqrt(across * across + along * along)
        wide = np.maximum(width, self.pixel)  # thinner than a pixel: fainter instead
        radius = col(wide / 2) * (1 - col(taper) * (1 + on) / 2)
        return self.edge(radius - distance, soft) * col(np.minimum(width / self.pixel, 1))

    def lens(
        self,
        x: Numbers,
        y: Numbers,
        width: Numbers,
        top: Numbers,
        bottom: Numbers,
        bend: Numbers = 0.0,
        skew: Numbers = 0.0,
        tilt: Numbers = 0.0,
    ) -> Array:
        """Eye or mouth: from ``top`` above to ``bottom`` below a curved line of half ``width``.

        The line's ends are raised by ``bend``, the right one by ``skew`` more than the left one.
        """
        u = (self.x - col(x)) / col(width)
        square = u * u
        line = col(y) - (col(bend) + 0.5 * col(skew) * np.sign(u)) * square + col(tilt) * u
        arch = np.maximum(1 - square, 0)
        below = self.edge(self.y - line + col(top) * arch)
        above = self.edge(line + col(bottom) * arch - self.y)
        # where the lens is thinner than a pixel the two edges cover only what is between them
        return np.maximum(below + above - 1, 0) * self.edge((1 - np.abs(u)) * col(width))
