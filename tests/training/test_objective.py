"""What a teacher, student or control learns from: its own view, and soft labels where there are."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.models import NetworkSettings
from occkd_lib.training.batches import Batches
from occkd_lib.training.objective import Objective
from occkd_lib.training.views import Views


def test_soft_labels_take_the_place_of_hard_ones(faces):
    network = NetworkSettings(name="compact", width=4, input_size=32).build(2).eval()
    objective = Objective(LossChoice(name="cross_entropy").build(Facts(2, 32)), "lower")
    soft = torch.rand(30, 2, generator=torch.Generator().manual_seed(0))
    soft = soft / soft.sum(1, keepdim=True)
    for labels in (None, soft):
        views = Views(replace(faces, soft_targets=labels), network.input_spec, torch.device("cpu"))
        batch = next(iter(Batches(views, batch_size=30, seed=0).epoch(0)))
        output = network(batch.inputs("lower")).output
        target = batch.target if labels is None else soft[batch.index]
        torch.testing.assert_close(objective(network, batch), F.cross_entropy(output, target))
