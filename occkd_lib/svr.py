"""A linear SVR whose fit converges, and proves it, for every C.

liblinear, behind scikit-learn's LinearSVR, corrects one face at a time by at most about its
residual, so that it needs the more passes the larger C is: on UTKFace ages 120 at C = 0.1 and 900
at C = 1, while validation is best near C = 1000.
"""

from __future__ import annotations

import numpy as np
from sklearn.svm import LinearSVR


class NewtonSVR(LinearSVR):
    """LinearSVR's problem by Newton's method: a few dozen steps, whatever C is.

    Minimises |w|^2 / 2 + C * sum of max(0, |y - w x| - epsilon), as scikit-learn states it, with a
    constant feature for the intercept; y is taken less its median. The loss's corner is rounded to
    a parabola of some width, which shrinks until the duality gap says that the objective is within
    the fraction ``tol`` of the smallest there is. n_iter_: steps; max_iter if it got no closer.
    """

    def __init__(
        self, *, C: float = 1.0, epsilon: float = 0.0, tol: float = 1e-3, max_iter: int = 500
    ) -> None:
        super().__init__(C=C, epsilon=epsilon, tol=tol, max_iter=max_iter)

    def fit(self, X: np.ndarray, y: np.ndarray) -> NewtonSVR:
        """X: N x D, y: N."""
        features = np.column_stack([X, np.ones(len(X))]).astype(np.float64)
        middle = np.median(y)
        target = np.asarray(y, np.float64) - middle
        weights = np.zeros(features.shape[1])
        residual, width = target, np.abs(target).mean() or 1.0
        for step in range(self.max_iter + 1):
            self.n_iter_ = step
            beyond = np.maximum(np.abs(residual) - self.epsilon, 0)
            dual = self._pull(residual, width)
            implied = features.T @ dual  # the best weights for these dual values
            objective = weights @ weights / 2 + self.C * beyond.sum()
            bound = target @ dual - self.epsilon * np.abs(dual).sum() - implied @ implied / 2
            if objective - bound <= self.tol * objective:
                break
            slope = weights - implied
            if slope @ slope < 1e-6 * (implied @ implied):  # there, as far as this width goes
                width /= 4
                continue
            curved = features[(beyond > 0) & (beyond < width)]
            move = newton_step(slope, curved, self.C / width)
            change = features @ move
            size = self._length(weights, residual, move, change, width)
            weights, residual = weights + size * move, residual - size * change
        self.coef_, self.intercept_ = weights[:-1], np.array([weights[-1] + middle])
        self.n_features_in_ = X.shape[1]
        return self

    def _pull(self, residual: np.ndarray, width: float) -> np.ndarray:
        """Slope of the rounded loss, in -C..C: how much each face pulls at its prediction."""
        beyond = np.maximum(np.abs(residual) - self.epsilon, 0)
        return self.C * np.sign(residual) * np.minimum(beyond / width, 1)

    def _length(
        self,
        weights: np.ndarray,
        residual: np.ndarray,
        move: np.ndarray,
        change: np.ndarray,
        width: float,
    ) -> float:
        """How much of ``move`` to go, 0..1: to where the rounded objective stops falling."""

        def falls(size: float) -> bool:
            pull = self._pull(residual - size * change, width)
            return (weights + size * move) @ move < change @ pull

        low, high = 0.0, 1.0
        if falls(high):
            return high
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if falls(middle) else (low, middle)
        return low


def newton_step(slope: np.ndarray, curved: np.ndarray, curvature: float) -> np.ndarray:
    """-(identity + curvature * curved^T curved)^-1 slope. slope: D, curved: M x D."""
    if len(curved) < len(slope):  # Woodbury: M x M instead of D x D
        small = curved @ curved.T
        small[np.diag_indices(len(small))] += 1 / curvature
        return curved.T @ np.linalg.solve(small, curved @ slope) - slope
    hessian = curvature * curved.T @ curved
    hessian[np.diag_indices(len(hessian))] += 1
    return -np.linalg.solve(hessian, slope)
