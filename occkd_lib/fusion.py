"""Fusion: a linear SVM (classes) or SVR (a quantity) on concatenated face embeddings.

Journal, Sect. 4.2.4 and 4.3.4, "Combining distilled embeddings": C is the one that does best on
validation, from 0.1 to 1000 in steps of 10; SVR with epsilon = 0. The family is not stated there:
we take LinearSVC and LinearSVR, whose default epsilon is the 0 that the paper calls the default
(SVR's is 0.1), and since the ICPR paper says "linear". C weighs the loss of a face, for a
quantity in its own unit (years), against half the squared norm of the weights.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils.parallel import Parallel, delayed

from occkd_lib.errors import OcckdError
from occkd_lib.svr import NewtonSVR
from occkd_lib.tasks import TASKS, Task
from occkd_lib.tasks.metrics import Values, as_numpy

# Ten times scikit-learn's tolerance: held-out accuracy moves by 0.1 points at most, in half the
# time. A class SVM gets there within a few hundred steps, NewtonSVR within a few dozen; what does
# not get there is never chosen.
TOLERANCE, MAX_ITERATIONS = 1e-3, 10_000
GRID = (0.1, 1.0, 10.0, 100.0, 1000.0)  # the journal's
WIDE_GRID = (0.01, *GRID, 10_000.0)  # for a quantity, whose best C may lie beyond
WORTH_SHARING = 20_000_000  # values to fit, times number of C's


@dataclass(frozen=True)
class Fusion:
    """A fitted SVM / SVR.

    outputs: columns of ``scores``. C: the chosen one. validation: C -> the task's main metric, a
    fraction or in the target's unit. converged: C -> whether the solver met its tolerance within
    its iterations. edge: the chosen C is the smallest or the largest of those that converged, so
    a better one may lie outside of the grid.
    """

    task: Task
    outputs: int
    C: float
    validation: dict[float, float]
    converged: dict[float, bool]
    edge: bool
    model: LinearSVC | LinearSVR
    scaler: StandardScaler | None

    def predict(self, parts: Sequence[Values]) -> np.ndarray:
        """Classes (int64) or numbers (float64), N; ``parts``: N x D arrays, as in fitting."""
        return self.model.predict(self._features(parts))

    def scores(self, parts: Sequence[Values]) -> np.ndarray:
        """Decision values N x K as a network's output has them: of classes, one, or a number.

        A class without training faces gets -inf.
        """
        features = self._features(parts)
        if self.task.continuous:
            return self.model.predict(features)[:, None]
        decision = self.model.decision_function(features)
        if not self.task.softmax:
            return decision[:, None]
        if decision.ndim == 1:  # only two of the classes occurred in training
            decision = np.stack([-decision, decision], axis=1)
        scores = np.full((len(decision), self.outputs), -np.inf)
        scores[:, self.model.classes_] = decision
        return scores

    def _features(self, parts: Sequence[Values]) -> np.ndarray:
        joined = concatenate(parts)
        return joined if self.scaler is None else self.scaler.transform(joined)


def fit_fusion(
    train_parts: Sequence[Values],
    train_targets: Values,
    val_parts: Sequence[Values] | None,
    val_targets: Values | None,
    *,
    task: str,
    C: Sequence[float] | None = None,
    epsilon: float = 0.0,
    standardize: bool = False,
    seed: int = 0,
    outputs: int | None = None,
) -> Fusion:
    """Fit on train for every C; keep the C that does best on validation (ties: the smallest).

    Only fits that converged count. C: by default GRID, or WIDE_GRID for a quantity.
    train_parts, val_parts: sequences of N x D arrays or tensors (embeddings of one or more
    networks), concatenated feature by feature. targets: N. task: a name in TASKS. epsilon:
    half-width of the SVR's tube, in the target's unit. standardize: zero mean, unit variance per
    feature, learnt on train. val_parts, val_targets: None where there is no validation split; then
    C must be one value, and ``validation`` is NaN. C's are fitted in parallel where that pays; the
    same seed gives the same result. outputs: of a network for the task, by default as many as
    there are classes up to the largest in train and validation. Raises ValueError for unknown
    tasks and shapes that do not match, OcckdError when no fit converged.
    """
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; one of {', '.join(TASKS)}")
    spec = TASKS[task]
    if C is None:
        C = WIDE_GRID if spec.continuous else GRID  # noqa: N806
    if not C or min(C) <= 0:
        raise ValueError(f"C must hold at least one positive value, not {tuple(C)}")
    if val_parts is None and len(C) > 1:
        raise ValueError(f"without a validation split C must be one value, not {tuple(C)}")
    train = concatenate(train_parts)
    val = None if val_parts is None else concatenate(val_parts)
    targets = as_numpy(train_targets)
    if len(targets) != len(train):
        raise ValueError(f"{len(train)} training embeddings, but {len(targets)} targets")
    scaler = StandardScaler().fit(train) if standardize else None
    if scaler is not None:
        train, val = scaler.transform(train), None if val is None else scaler.transform(val)

    grid = sorted({float(c) for c in C})
    jobs = min(joblib.cpu_count(), len(grid)) if train.size * len(grid) > WORTH_SHARING else 1
    dual = not spec.continuous and len(train) < train.shape[1]
    with warnings.catch_warnings():  # ``converged`` keeps what they say
        warnings.simplefilter("ignore", ConvergenceWarning)
        slow_first = grid[::-1]  # a large C takes longest, and would keep one core waiting
        fits = [
            delayed(estimator(spec, c, epsilon, seed, dual).fit)(train, targets) for c in slow_first
        ]
        # The solvers work outside the GIL, so threads do; but liblinear's dual ones draw from one
        # random generator a process, and get processes in order to stay reproducible.
        pool = Parallel(n_jobs=jobs, prefer="processes" if dual else "threads")
        models = dict(zip(slow_first, pool(fits), strict=True))

    validation = dict.fromkeys(grid, math.nan)
    if val is not None and val_targets is not None:
        scored = models.items()
        validation = {c: spec.metric(val_targets, model.predict(val)) for c, model in scored}
    converged = {c: bool(models[c].n_iter_ < models[c].max_iter) for c in grid}
    usable = [c for c in grid if converged[c]]
    if not usable:
        values = ", ".join(f"{c:g}" for c in grid)
        raise OcckdError(
            f"no {spec.machine} on {train.shape[1]} features of {len(train)} faces converged, for "
            f"C = {values}: give smaller values of C, or standardize the features"
        )
    best = max(usable, key=lambda c: spec.metric.sign * validation[c])  # the first of equals
    edge = len(grid) > 1 and best in (usable[0], usable[-1])
    if outputs is None:
        largest = max(int(as_numpy(t).max()) for t in (targets, val_targets) if t is not None)
        outputs = largest + 1 if spec.softmax else 1
    return Fusion(spec, outputs, best, validation, converged, edge, models[best], scaler)


def estimator(task: Task, C: float, epsilon: float, seed: int, dual: bool) -> LinearSVC | LinearSVR:
    """An unfitted SVM for classes, or SVR for a quantity.

    dual: which problem liblinear solves; the primal one is the faster when there are more faces
    than features.
    """
    if task.continuous:
        return NewtonSVR(C=C, epsilon=epsilon, tol=TOLERANCE)
    return LinearSVC(C=C, dual=dual, tol=TOLERANCE, max_iter=MAX_ITERATIONS, random_state=seed)


def concatenate(parts: Sequence[Values]) -> np.ndarray:
    """N x (D1 + D2 + ...) from N x D1, N x D2, ...; ValueError when the N differ."""
    arrays = [as_numpy(part) for part in parts]
    if not arrays or any(a.ndim != 2 for a in arrays) or len({len(a) for a in arrays}) != 1:
        shapes = ", ".join(str(a.shape) for a in arrays) or "none"
        raise ValueError(f"parts must be N x D arrays with one common N, not {shapes}")
    return np.concatenate(arrays, axis=1)
