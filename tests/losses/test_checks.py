"""A silent broadcast is the worst kind of wrong loss."""

import pytest
import torch

from occkd_lib.losses.checks import same_shape


def test_only_matrices_of_one_shape_pass():
    same_shape("a", torch.zeros(2, 3), "b", torch.zeros(2, 3))
    for a, b in (((2, 3), (2, 1)), ((2, 3), (1, 3)), ((3,), (3,)), ((2, 3), (3, 2))):
        with pytest.raises(ValueError, match="must be matrices of the same shape"):
            same_shape("a", torch.zeros(a), "b", torch.zeros(b))
