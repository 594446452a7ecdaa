"""The layers of explorations: made for one image, and taken away when something else is looked at."""

from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from patchfield.images.colors import default_color
from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.shown import ROLE_OF_VIEW
from patchfield.napari.session.view import Show

FOREGROUND_COLOR = "#ffd60a"


def draw(annotated: AnnotatedImage, show: Show, values: NDArray[Any]) -> None:
    """Show values (H, W) or (H, W, 3) over an image."""
    role = ROLE_OF_VIEW[show]
    layer = annotated.result(role)
    if layer is None:
        roles.create(annotated.viewer, annotated.source, role, values, **_style(role, values))
    else:
        layer.data = values


def recolor(annotated: AnnotatedImage, groups: NDArray[np.integer]) -> None:
    """Give all clusters of one group one colour: merging needs no other pixels."""
    layer = annotated.result(Role.CLUSTERS)
    if layer is not None:
        layer.colormap = roles.colormap({i + 1: default_color(int(group)) for i, group in enumerate(groups)})


def remove_all(viewer: ViewerModel, but: AnnotatedImage | None = None) -> None:
    """Take the layers of all explorations away, except those over one image."""
    for layer in [layer for layer in viewer.layers if roles.role(layer) in roles.TRANSIENT_ROLES]:
        if but is None or layer.metadata[roles.METADATA_KEY]["image"] != but.source.id:
            viewer.layers.remove(layer)


def _style(role: Role, values: NDArray[Any]) -> dict[str, Any]:
    if role in (Role.SIMILARITY, Role.ATTENTION):
        low, high = np.percentile(values[::4, ::4], (1, 99.5))
        return {"contrast_limits": (float(low), float(high)) if low < high else (0.0, 1.0)}
    return {"colormap": roles.colormap({1: FOREGROUND_COLOR})} if role is Role.FOREGROUND else {}
