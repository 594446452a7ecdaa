"""Foreground by the attention of the teacher."""

import torch

from training.neco.masks import foreground, fully_inside


def test_foreground_is_where_the_attention_is():
    attention = torch.full((1, 3, 12, 12), 0.001)
    attention[:, :, 2:6, 3:8] = 1.0
    attention[:, 0, 10, 10] = 3.0
    mask = foreground(attention)[0]
    assert mask[3:5, 4:7].all()
    assert not mask[8:].any()
    assert not mask[:, 10:].any()
    assert mask.sum() <= 20


def test_only_cells_that_lie_inside_entirely_count():
    assert fully_inside(torch.tensor([[1.0], [0.99], [0.0]])).tolist() == [True, False, False]
