"""Turning public files into our terms."""

import torch
import torch.nn.functional as F

from occkd_lib.models.weights.pretrained import bgr_to_rgb, rename, without


def test_rules_are_applied_one_after_the_other():
    tensors = {"a.1": torch.zeros(1), "b.2": torch.ones(1)}
    renamed = rename(tensors, (r"^a\.", "b."), (r"^b\.(\d)", r"c\1"))
    assert list(renamed) == ["c1", "c2"] and renamed["c2"] is tensors["b.2"]


def test_layers_are_left_out_by_the_beginning_of_their_names():
    assert list(without(dict.fromkeys(("fc.a", "x.fc.a", "gc.a")), "fc.", "gc.")) == ["x.fc.a"]


def test_filters_for_bgr_see_the_same_colours():
    filters, other = torch.randn(4, 3, 2, 2), torch.randn(3, 3)
    turned = bgr_to_rgb({"conv": filters, "fc": other}, "conv")
    rgb = torch.randn(1, 3, 5, 5)
    torch.testing.assert_close(F.conv2d(rgb, turned["conv"]), F.conv2d(rgb.flip(1), filters))
    assert turned["fc"] is other
