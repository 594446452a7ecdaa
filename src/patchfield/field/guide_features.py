"""What guided upsampling compares: the channels of the filter bank at the nodes of an image."""

import numpy as np
from numpy.typing import NDArray

from patchfield.field.field import FeatureField
from patchfield.field.guide import NODE_PITCH


class GuideFeatures:
    """Strips of nodes described by a field: each node is the mean of the pixels that it stands for.

    Parameters
    ----------
    field : FeatureField
        Of the image, at least as fine as the nodes.
    """

    def __init__(self, field: FeatureField) -> None:
        self._field = field

    def __call__(self, rows: slice) -> NDArray[np.float32]:
        """The nodes of some rows, (rows, columns, channels) float32."""
        height, width = self._field.shape
        strip = slice(rows.start * NODE_PITCH, min(rows.stop * NODE_PITCH, height))
        dense = self._field.dense((strip, slice(0, width)))
        beyond = -dense.shape[1] % NODE_PITCH, -width % NODE_PITCH
        dense = np.pad(dense, ((0, 0), (0, beyond[0]), (0, beyond[1])), mode="edge")
        channels, padded_height, padded_width = dense.shape
        cells = dense.reshape(channels, padded_height // NODE_PITCH, NODE_PITCH, padded_width // NODE_PITCH, NODE_PITCH)
        nodes: NDArray[np.float32] = np.ascontiguousarray(cells.mean((2, 4)).transpose(1, 2, 0))
        return nodes
