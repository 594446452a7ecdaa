"""Where the crops of a window lie, and which parts of it two crops share.

Boxes are (x1, y1, x2, y2) between pixel edges: the whole of a window is (0, 0, width, height), and pixel i spans
i to i + 1. Global crops come first, then local ones; a *pair* (g, v) is a global crop g seen by the teacher and
another crop v seen by the student.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resized_crop

from training.errors import require

MIN_OVERLAP = 0.01
"""Share of the window that every crop has in common with every global crop."""
MIN_GLOBAL_OVERLAP = 0.02
"""The same between global crops: local crops must find room in what they share."""
TRIES = 20


@dataclass(frozen=True)
class CropSettings:
    """How many crops of which kind are cut out of a window.

    Attributes
    ----------
    global_crops : int
        Number of global crops; the teacher sees these, the student sees all crops.
    global_size : int
        Side of a global crop in pixels after resampling, a multiple of the backbone's patch.
    global_scale : (float, float)
        Share of the window's area that a global crop covers, drawn uniformly.
    local_crops : int
        Number of local crops, seen by the student alone.
    local_size : int
        Side of a local crop in pixels after resampling, a multiple of the backbone's patch.
    local_scale : (float, float)
        Share of the window's area that a local crop covers.
    aspect : (float, float)
        Width over height of a crop before resampling, drawn uniformly in its logarithm.
    flips : bool
        Mirror the whole window at random before cropping.
    quarter_turns : bool
        Turn the whole window by a random multiple of 90 degrees before cropping.
    """

    global_crops: int = 2
    global_size: int = 224
    global_scale: tuple[float, float] = (0.4, 1.0)
    local_crops: int = 4
    local_size: int = 98
    local_scale: tuple[float, float] = (0.1, 0.4)
    aspect: tuple[float, float] = (0.9, 1.1)
    flips: bool = True
    quarter_turns: bool = True

    def __post_init__(self) -> None:
        require(
            self.global_crops >= 1 and self.local_crops >= 0 and self.count >= 2,
            "crops.global_crops must be at least 1, and there must be two crops",
        )
        require(min(self.sizes) >= 1, "crops.global_size and crops.local_size must be at least 1")
        for name in ("global_scale", "local_scale"):
            low, high = getattr(self, name)
            require(0 < low <= high <= 1, f"crops.{name} must be two shares of the window, the smaller first")
        low, high = self.aspect
        require(0 < low <= high < math.inf, "crops.aspect must be two positive numbers, the smaller first")

    @property
    def count(self) -> int:
        """Crops of a window, global and local."""
        return self.global_crops + self.local_crops

    @property
    def sizes(self) -> list[int]:
        """Side of each crop in pixels after resampling."""
        return [self.global_size] * self.global_crops + [self.local_size] * self.local_crops

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs (global crop of the teacher, other crop of the student)."""
        return [(g, v) for g in range(self.global_crops) for v in range(self.count) if v != g]


def draw_boxes(generator: np.random.Generator, height: int, width: int, settings: CropSettings) -> NDArray[np.int64]:
    """Draw the crops of a window so that every crop overlaps every global one.

    A crop that overlaps too little is drawn again, at most `TRIES` times; then it is moved (and, where it does
    not fit, shrunk) into what the global crops share.

    Returns
    -------
    ndarray (crops, 4)
        Boxes (x1, y1, x2, y2) in pixels of the window.
    """
    boxes: list[NDArray[np.int64]] = []
    for index in range(settings.count):
        is_global = index < settings.global_crops
        scale = settings.global_scale if is_global else settings.local_scale
        smallest = (MIN_GLOBAL_OVERLAP if is_global else MIN_OVERLAP) * height * width
        anchors = boxes[: settings.global_crops]
        for _ in range(TRIES):
            box = _draw_box(generator, height, width, scale, settings.aspect)
            if all(area(intersection(box, anchor)) > smallest for anchor in anchors):
                break
        else:
            shared = np.array([0, 0, width, height])
            for anchor in anchors:
                shared = intersection(shared, anchor)
            box = _moved_into(generator, box, shared)
        boxes.append(box)
    return np.stack(boxes)


def cut(window: torch.Tensor, box: NDArray[np.int64], size: int) -> torch.Tensor:
    """Cut `box` out of a window (channels, H, W) and resample it to (channels, size, size), antialiased."""
    x1, y1, x2, y2 = (int(edge) for edge in box)
    return resized_crop(window, y1, x1, y2 - y1, x2 - x1, [size, size], InterpolationMode.BILINEAR, antialias=True)


def orient(window: torch.Tensor, generator: np.random.Generator, settings: CropSettings) -> torch.Tensor:
    """Mirror and turn a whole window (channels, H, W) at random, so that boxes need no bookkeeping of it."""
    turns = int(generator.integers(4)) if settings.quarter_turns else 0
    mirrored = settings.flips and generator.random() < 0.5
    window = torch.rot90(window, turns, (-2, -1))
    return window.flip(-1) if mirrored else window


def intersection(first: NDArray, second: NDArray) -> NDArray:
    """What boxes (..., 4) have in common; possibly empty, then of width or height 0."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.maximum(np.minimum(first[..., 2:], second[..., 2:]), low)
    return np.concatenate([low, high], axis=-1)


def area(box: NDArray) -> float:
    """Area of a box (4,) in square pixels."""
    return float((box[2] - box[0]) * (box[3] - box[1]))


def shared_boxes(boxes: torch.Tensor, settings: CropSettings) -> tuple[torch.Tensor, torch.Tensor]:
    """What the two crops of every pair share, in the pixels of each of them after resampling.

    Parameters
    ----------
    boxes : Tensor (B, crops, 4)
        Boxes in pixels of the window.

    Returns
    -------
    in_global, in_crop : Tensor (B, pairs, 4) float32
        The same region in the frame of the teacher's global crop and of the student's crop.
    """
    boxes = boxes.float()
    sizes = torch.tensor(settings.sizes, dtype=torch.float32, device=boxes.device)
    first, second = (list(side) for side in zip(*settings.pairs, strict=True))
    low = torch.maximum(boxes[:, first, :2], boxes[:, second, :2])
    high = torch.minimum(boxes[:, first, 2:], boxes[:, second, 2:])
    region = torch.stack([low, torch.maximum(high, low)], dim=2)
    in_global, in_crop = (_in_frame(region, boxes[:, crops], sizes[crops]) for crops in (first, second))
    return in_global, in_crop


def _in_frame(region: torch.Tensor, frame: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Corners (B, pairs, 2, 2) of a region in the pixels of crops at `frame` resampled to `size`."""
    origin = frame[..., None, :2]
    extent = frame[..., None, 2:] - origin
    return ((region - origin) / extent * size[:, None, None]).flatten(2)


def _draw_box(
    generator: np.random.Generator,
    height: int,
    width: int,
    scale: tuple[float, float],
    aspect: tuple[float, float],
) -> NDArray[np.int64]:
    covered = generator.uniform(*scale) * height * width
    ratio = np.exp(generator.uniform(*np.log(aspect)))
    columns = int(np.clip(round(np.sqrt(covered * ratio)), 1, width))
    rows = int(np.clip(round(np.sqrt(covered / ratio)), 1, height))
    x1 = int(generator.integers(width - columns + 1))
    y1 = int(generator.integers(height - rows + 1))
    return np.array([x1, y1, x1 + columns, y1 + rows])


def _moved_into(generator: np.random.Generator, box: NDArray[np.int64], room: NDArray[np.int64]) -> NDArray[np.int64]:
    extent = np.minimum(box[2:] - box[:2], room[2:] - room[:2])
    origin = room[:2] + generator.integers(room[2:] - room[:2] - extent + 1)
    return np.concatenate([origin, origin + extent])
