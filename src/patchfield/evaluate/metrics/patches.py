"""A regular grid of patches over an image, for the protocols that compare patches instead of pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn.functional import interpolate

from patchfield.errors import FieldError


@dataclass(frozen=True)
class PatchGrid:
    """Squares of `side` pixels that tile an image from its upper left corner; an incomplete rest is left out.

    Attributes
    ----------
    shape : (int, int)
        Of the image.
    side : int
        Of a patch, in pixels.

    Raises
    ------
    FieldError
        The image is smaller than a patch.

    Examples
    --------
    >>> grid = PatchGrid((6, 9), 4)
    >>> grid.count, grid.centres()
    ((1, 2), (array([2, 2]), array([2, 6])))
    """

    shape: tuple[int, int]
    side: int

    def __post_init__(self) -> None:
        if min(self.shape) < self.side:
            raise FieldError(
                f"an image of {self.shape[0]} x {self.shape[1]} pixels holds no patch of {self.side} pixels: "
                "evaluate larger images, or smaller patches."
            )

    @property
    def count(self) -> tuple[int, int]:
        """Patches along the rows and columns."""
        return self.shape[0] // self.side, self.shape[1] // self.side

    def centres(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the centre pixel of each patch, row by row: (patches,) each."""
        rows, columns = np.indices(self.count).reshape(2, -1) * self.side + self.side // 2
        return rows, columns

    def soft_labels(self, truth: ArrayLike, values: ArrayLike) -> NDArray[np.float32]:
        """Share of each class among the labelled pixels of each patch.

        Parameters
        ----------
        truth : (H, W) array of int
        values : (K,) int
            The classes; every other value is unlabelled.

        Returns
        -------
        (patches, K) float32
            Rows sum to 1; all zero for a patch without a labelled pixel.
        """
        (rows, columns), values = self.count, np.asarray(values)
        truth = np.asarray(truth)[: rows * self.side, : columns * self.side]
        patch = np.indices(truth.shape) // self.side
        order = np.argsort(values)
        index = order[np.clip(np.searchsorted(values, truth, sorter=order), 0, len(values) - 1)]
        known = values[index] == truth
        cell = (patch[0] * columns + patch[1]) * len(values) + index
        counts = np.bincount(cell[known], minlength=rows * columns * len(values)).reshape(rows * columns, -1)
        labelled = counts.sum(1, keepdims=True)
        shares: NDArray[np.float32] = np.divide(
            counts, labelled, out=np.zeros(counts.shape, np.float32), where=labelled > 0
        )
        return shares

    def upsample(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of the patches at every pixel, bilinear between their centres: (patches, K) -> (K, H, W)."""
        rows, columns = self.count
        grid = torch.from_numpy(scores).T.reshape(1, -1, rows, columns)
        maps = interpolate(grid, scale_factor=self.side, mode="bilinear", align_corners=False)[0].numpy()
        rest = [(0, size - part) for size, part in zip(self.shape, maps.shape[1:], strict=True)]
        return np.pad(maps, [(0, 0), *rest], mode="edge")
