"""What is explored together: the planes of the open images, and those of them that have features."""

from collections.abc import Sequence

from patchfield.backbones import ViT
from patchfield.field import FeatureRecipe
from patchfield.napari.explore.pictures import Seen
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.planes import Plane
from patchfield.napari.workspace import Workspace

MAX_IMAGES = 32
"""So many open images are explored together, the current one among them: their features stay in memory meanwhile."""


def planes_together(workspace: Workspace, *, joint: bool) -> list[tuple[Plane, LayerStack]]:
    """The plane on view; where exploring is `joint`, those of the other open images behind it."""
    current, annotations = workspace.current, workspace.annotations
    if current is None:
        return []
    sources = [current.source]
    if joint:
        others = [layer for layer in annotations.choices if layer is not current.source.layer]
        sources += [annotations.source_of(layer) for layer in others[: MAX_IMAGES - 1]]
    point = workspace.viewer.dims.point
    return [(Plane(source.id, source.index_at(point)), source) for source in sources]


def with_features(workspace: Workspace, planes: Sequence[tuple[Plane, LayerStack]]) -> tuple[Seen, ...]:
    """Those planes that have features; the one on view perhaps with its first views only."""
    features, target = workspace.features, workspace.target()
    seen = []
    for plane, source in planes:
        field = features.field(plane)
        if field is not None and ((target is not None and plane == target.plane) or features.is_complete(plane)):
            seen.append(Seen(source, plane, field))
    return tuple(seen)


def transformer(workspace: Workspace) -> tuple[FeatureRecipe, ViT] | None:
    """The first backbone with a class token, and its recipe."""
    features = workspace.features
    return next(
        (
            (recipe, backbone)
            for recipe, backbone in zip(features.recipes, features.backbones, strict=False)
            if isinstance(backbone, ViT) and backbone.spec.class_token
        ),
        None,
    )
