"""From what was found without labels to strokes that one goes on painting from."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import FieldError
from patchfield.explore import Clusters, confident_strokes, pooled
from patchfield.field import FeatureField
from patchfield.images.colors import default_color
from patchfield.napari.explore.explorer import Explorer
from patchfield.napari.explore.pictures import Grouping
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import Show
from patchfield.napari.workspace import Workspace
from patchfield.probe import ClassInfo

GROUNDS = ("background", "foreground")
ADOPTED = (Show.CLUSTERS, Show.FOREGROUND, Show.SIMILARITY)
"""What can become strokes."""
SIMILAR_ENOUGH = 0.7
"""Places at least so similar are painted with the chosen class."""


class Adopting:
    """Paints a few strokes where an exploration is surest of itself: sparse, undone in one step, never over others.

    Groups become classes of their own, foreground and background the two of these names, and similar places strokes of
    the class that is chosen. Painting then goes on as always.

    Parameters
    ----------
    workspace : Workspace
    explorer : Explorer
    """

    def __init__(self, workspace: Workspace, explorer: Explorer) -> None:
        self._workspace = workspace
        self._explorer = explorer
        self._slot = Slot(workspace.runner)

    @property
    def possible(self) -> bool:
        """Whether there is something that can become strokes."""
        return self._explorer.shown in ADOPTED and self._workspace.shown.layer is not None

    def adopt(self) -> None:
        """Paint, and go back to the segmentation, which learns from the new strokes at once.

        Raises
        ------
        FieldError
            When nothing is seen that could become strokes.
        """
        target, explorer = self._workspace.target(), self._explorer
        if not self.possible or target is None or explorer.shown is None:
            raise FieldError("There is nothing to adopt: choose clusters, similar places or foreground under View.")
        layer = self._workspace.shown.layer
        assert layer is not None
        if explorer.shown is Show.SIMILARITY:
            similarity = np.asarray(layer.data)
            work = partial(_strokes, (similarity >= SIMILAR_ENOUGH).astype(np.int64), similarity)
        else:
            groups = explorer.group_map()
            assert groups is not None
            work = partial(_strokes, groups, None)
            if isinstance(explorer.model, Grouping):
                of_clusters = explorer.model.tree.groups(explorer.groups)
                work = partial(
                    _strokes_of_groups, groups, of_clusters, explorer.model.clusters, target.field, explorer.side
                )
        paint = partial(self._paint, target.plane, explorer.shown)
        self._slot.submit(Job(work, paint, self._workspace.on_error), interrupt=True)

    def close(self) -> None:
        """Paint nothing any more."""
        self._slot.cancel()

    def _paint(self, plane: Plane, exploration: Show, strokes: NDArray[np.int64]) -> None:
        current = self._workspace.current
        if current is None or current.source.id != plane.image:
            return
        free = strokes * (np.asarray(current.labels.data[plane.index]) == 0)
        numbers = [int(number) for number in np.unique(free[free > 0])]
        values = self._classes_for(exploration, numbers)
        rows, columns = np.nonzero(free)
        painted = [values[int(number)] for number in free[rows, columns]]
        self._workspace.view.choose(Show.SEGMENTATION)
        if painted:
            indices = (*(np.full(len(rows), i) for i in plane.index), rows, columns)
            current.labels.data_setitem(indices, painted)
            self._workspace.select_class(painted[0])

    def _classes_for(self, exploration: Show, numbers: list[int]) -> dict[int, int]:
        """The class that each group is painted with; classes without strokes that nobody named are used up first."""
        workspace, table = self._workspace, self._workspace.classes
        if exploration is Show.SIMILARITY:
            return dict.fromkeys(numbers, workspace.selected_class)
        nameless = [entry.value for entry in table if not entry.pixels and _is_nameless(entry.value, entry.name)]
        found: dict[int, int] = {}
        for number in numbers:
            wanted = GROUNDS[number - 1] if exploration is Show.FOREGROUND else f"group {number}"
            known = [entry.value for entry in table if entry.name == wanted]
            free = [value for value in nameless if value not in found.values()]
            value = next(iter([*known, *free]), None)
            value = table.add().value if value is None else value
            if value not in known:
                table.rename(value, wanted)
                table.recolor(value, default_color(number))
            found[number] = value
        return found


def _is_nameless(value: int, name: str) -> bool:
    return name == ClassInfo.default(value).name


def _strokes(groups: NDArray[np.int64], confidence: NDArray[np.floating] | None) -> Iterator[NDArray[np.int64]]:
    yield confident_strokes(groups, np.ones(groups.shape) if confidence is None else confidence)


def _strokes_of_groups(
    groups: NDArray[np.int64],
    of_clusters: NDArray[np.int64],
    clusters: Clusters,
    field: FeatureField,
    side: float,
) -> Iterator[NDArray[np.int64]]:
    yield confident_strokes(groups, clusters.margin(pooled(field, side), of_clusters))
