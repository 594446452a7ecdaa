"""Geometry of the crops: boxes, frames, and the same cells in teacher and student."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.data.crops import (
    CropSettings,
    area,
    cut,
    draw_boxes,
    intersection,
    orient,
    shared_boxes,
)
from training.neco.align import CELLS, _pool, align_student, align_teacher

PAPER = CropSettings(
    global_scale=(0.25, 1.0), local_scale=(0.05, 0.25), aspect=(3 / 4, 4 / 3), flips=False, quarter_turns=False
)
PATCH = 14


@given(
    st.integers(16, 400),
    st.integers(16, 400),
    st.integers(0, 2**32),
    st.sampled_from([PAPER, CropSettings(), CropSettings(global_crops=3, local_crops=0)]),
)
def test_crops_stay_inside_and_overlap_every_global_crop(height, width, seed, settings):
    boxes = draw_boxes(np.random.default_rng(seed), height, width, settings)
    assert boxes.shape == (settings.count, 4)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [width, height]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    for g, v in settings.pairs:
        assert area(intersection(boxes[g], boxes[v])) > 0.01 * height * width or min(height, width) < 40


def test_scales_that_hardly_ever_overlap_still_give_overlapping_crops():
    settings = CropSettings(global_scale=(0.03, 0.04), local_scale=(0.02, 0.03), aspect=(1.0, 1.0))
    for seed in range(30):
        boxes = draw_boxes(np.random.default_rng(seed), 300, 300, settings)
        for g, v in settings.pairs:
            assert area(intersection(boxes[g], boxes[v])) > 0.01 * 300 * 300


def test_shared_boxes_by_hand():
    settings = CropSettings(global_crops=1, local_crops=1, global_size=100, local_size=50)
    boxes = torch.tensor([[[0, 0, 200, 100], [100, 50, 300, 250]]])
    in_global, in_crop = shared_boxes(boxes, settings)
    assert in_global.tolist() == [[[50.0, 50.0, 100.0, 100.0]]]
    assert in_crop.tolist() == [[[0.0, 0.0, 25.0, 12.5]]]


def test_frames_map_back_to_the_window():
    boxes = torch.from_numpy(np.stack([draw_boxes(np.random.default_rng(s), 200, 300, PAPER) for s in range(8)]))
    in_global, in_crop = shared_boxes(boxes, PAPER)
    for pair, (g, v) in enumerate(PAPER.pairs):
        regions = []
        for crop, frame in ((g, in_global), (v, in_crop)):
            origin, far = boxes[:, crop, :2], boxes[:, crop, 2:]
            scale = (far - origin) / PAPER.sizes[crop]
            regions.append(origin.repeat(1, 2) + frame[:, pair] * scale.repeat(1, 2))
        torch.testing.assert_close(regions[0], regions[1], atol=1e-3, rtol=0)
        expected = intersection(boxes[:, g].numpy(), boxes[:, v].numpy())
        np.testing.assert_allclose(regions[0], expected, atol=1e-3)


def test_pooling_the_whole_map_is_the_identity_and_a_part_is_slicing():
    features = torch.randn(1, 3, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    whole = torch.tensor([[[0.0, 0.0, CELLS, CELLS]]])
    pooled = _pool(features, whole, [0], CELLS)
    assert torch.equal(pooled[0, 0].T.view(3, CELLS, CELLS), features[0])
    wider = torch.randn(1, 2, 12, 12, generator=torch.Generator().manual_seed(0))
    part = _pool(wider, torch.tensor([[[3.0, 2.0, 3.0 + CELLS, 2.0 + CELLS]]]), [0], CELLS)
    assert torch.equal(part[0, 0].T.view(2, CELLS, CELLS), wider[0, :, 2 : 2 + CELLS, 3 : 3 + CELLS])


def test_cells_of_a_ramp_are_their_centres():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    cells = _pool(ramp, torch.tensor([[[2.0, 2.0, 12.5, 12.5]]]), [0], CELLS)[0, 0, :CELLS, 0]
    centres = 2 + (torch.arange(CELLS) + 0.5) * 10.5 / CELLS - 0.5
    torch.testing.assert_close(cells, centres, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "settings", [PAPER, CropSettings(), CropSettings(global_crops=3, local_crops=2, global_size=140)]
)
def test_teacher_and_student_cells_are_the_same_place(settings):
    """The decisive one: crops of an image of coordinates, "encoded" by averaging patches, aligned in pairs."""
    images, side = 4, 336
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    coordinates = torch.stack([rows, columns]).float()
    crops, boxes = [], []
    for seed in range(images):
        generator = np.random.default_rng(seed)
        window = orient(coordinates, generator, settings)
        drawn = draw_boxes(generator, side, side, settings)
        crops.append([cut(window, box, size) for box, size in zip(drawn, settings.sizes, strict=True)])
        boxes.append(torch.from_numpy(drawn))
    by_crop = [torch.stack(images) for images in zip(*crops, strict=True)]
    tokens = [torch.nn.functional.avg_pool2d(crop, PATCH) for crop in by_crop]
    of_globals, of_locals = torch.cat(tokens[: settings.global_crops]), torch.cat(tokens[settings.global_crops :])
    boxes = torch.stack(boxes)
    teacher = align_teacher(of_globals, boxes, settings, PATCH)
    student = align_student([of_globals, of_locals], boxes, settings, PATCH)
    sides = (boxes[..., 2:] - boxes[..., :2]).amax(-1)
    for pair, (g, v) in enumerate(settings.pairs):
        pixels_per_token = PATCH * torch.maximum(sides[:, g] / settings.sizes[g], sides[:, v] / settings.sizes[v])
        difference = (teacher[pair] - student[pair]).abs().amax((1, 2))
        assert (difference <= 0.75 * pixels_per_token).all()
        assert (teacher[pair].flatten(1).std(1) > 5).all()


def test_orientations_are_all_eight_and_keep_the_pixels():
    window = torch.arange(6.0).view(1, 2, 3)
    seen = {tuple(orient(window, np.random.default_rng(s), CropSettings()).flatten().tolist()) for s in range(80)}
    assert len(seen) == 8
    still = orient(window, np.random.default_rng(0), PAPER)
    assert torch.equal(still, window)
