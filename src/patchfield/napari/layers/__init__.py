"""The room that touches napari's layers: images, labels, results, and what is known of each."""

from patchfield.napari.layers.roles import Role

__all__ = ["Role"]
