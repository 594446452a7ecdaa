"""The same physical regions in the features of two crops."""

from collections.abc import Sequence

import torch
from torchvision.ops import roi_align

from training.data.crops import CropSettings, shared_boxes

CELLS = 7
"""Side of the grid that every shared region is pooled to, as published."""


def align_teacher(
    features: torch.Tensor, boxes: torch.Tensor, settings: CropSettings, patch: int, cells: int = CELLS
) -> torch.Tensor:
    """Pool the teacher's features of each pair's shared region.

    Parameters
    ----------
    features : Tensor (global crops * B, D, n, n)
        Features of the global crops, all images of the first crop first.
    boxes : Tensor (B, crops, 4)
        Boxes of all crops in pixels of the window.
    patch : int
        Pixels per token.

    Returns
    -------
    Tensor (pairs, B, cells * cells, D) float32
        Cell (r, c) of a pair is the same part of the image here and in :func:`align_student`.
    """
    in_global, _ = shared_boxes(boxes, settings)
    return _pool(features, in_global.transpose(0, 1) / patch, [g for g, _ in settings.pairs], cells)


def align_student(
    features: Sequence[torch.Tensor], boxes: torch.Tensor, settings: CropSettings, patch: int, cells: int = CELLS
) -> torch.Tensor:
    """Pool the student's features of each pair's shared region.

    Parameters
    ----------
    features : sequence of Tensor (crops of the kind * B, D, n, n)
        Features of the global crops, and of the local crops if there are any.

    Returns
    -------
    Tensor (pairs, B, cells * cells, D) float32
    """
    _, in_crop = shared_boxes(boxes, settings)
    in_crop = in_crop.transpose(0, 1) / patch
    crops = [crop for _, crop in settings.pairs]
    first = settings.global_crops
    globally = [pair for pair, crop in enumerate(crops) if crop < first]
    locally = [pair for pair, crop in enumerate(crops) if crop >= first]
    parts = []
    if globally:
        parts.append(_pool(features[0], in_crop[globally], [crops[pair] for pair in globally], cells))
    if locally:
        parts.append(_pool(features[1], in_crop[locally], [crops[pair] - first for pair in locally], cells))
    order = torch.tensor(globally + locally, device=boxes.device).argsort()
    return torch.cat(parts)[order]


def _pool(features: torch.Tensor, boxes: torch.Tensor, crops: list[int], cells: int) -> torch.Tensor:
    """ROI-align boxes (pairs, B, 4), in tokens, of the given crop of each pair."""
    pairs, images = boxes.shape[:2]
    first = torch.tensor(crops, device=boxes.device)[:, None] * images
    index = first + torch.arange(images, device=boxes.device)
    regions = torch.cat([index[..., None].float(), boxes], dim=2).flatten(0, 1)
    pooled = roi_align(features.float(), regions, cells, aligned=True)
    return pooled.flatten(2).transpose(1, 2).unflatten(0, (pairs, images))
