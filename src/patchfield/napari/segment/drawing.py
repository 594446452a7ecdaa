"""From a probe to the pixels of a result: what is in view first, as fine as the canvas shows it, then the rest."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from patchfield.field import FeatureField, Region
from patchfield.field.coarse import coarse_projection
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.results import Made
from patchfield.napari.session.view import Show
from patchfield.objects import Cleaning
from patchfield.objects.cleaning import cleaning_steps
from patchfield.probe import LinearProbe

SMALL = 2**21
"""Pixels of a plane that is drawn as a whole after every stroke."""

COARSE = 2**19
"""Pixels that are segmented at most of what is seen from a distance, however many the canvas has."""

BLOCK = 1024
"""Side of the pieces in which the rest of a larger plane is segmented: after each of them a stroke can interrupt."""


@dataclass(frozen=True)
class Target:
    """The plane to segment, and the part of it that is in view.

    Attributes
    ----------
    plane : Plane
    field : FeatureField
    view : (slice, slice)
    complete : bool
        Whether the field has all of its views.
    step : int
        Pixels of the image that fall on one of the canvas, along each axis.
    """

    plane: Plane
    field: FeatureField
    view: Region
    complete: bool = True
    step: int = 1

    @property
    def is_small(self) -> bool:
        """Whether the plane is drawn as a whole at once."""
        return self.field.shape[0] * self.field.shape[1] <= SMALL


@dataclass(frozen=True)
class Drawn:
    """A piece of a result.

    Attributes
    ----------
    plane : Plane
    show : Show
    region : (slice, slice)
    values : (h, w) array
    made : Made
        By which probe, and whether the plane is whole with this piece.
    last : bool
        Whether this is the last piece of the plane: all of it was drawn.
    """

    plane: Plane
    show: Show
    region: Region
    values: NDArray[np.generic]
    made: Made
    last: bool = True


@dataclass(frozen=True)
class Waiting:
    """A plane is being finished; the job can be cancelled here."""


def draw_view(probe: LinearProbe, target: Target, show: Show, shown_class: int) -> Iterator[Drawn | Waiting]:
    """What is in view of the segmentation, and of the map that is shown beside it; all of a small plane.

    Where pixels of the image are smaller than those of the canvas, one for each of these is segmented and repeated.
    """
    if target.is_small:
        yield from _draw(probe, target, [_everything(target.field)], show, shown_class)
        return
    made = Made(probe.identity, whole=False)
    if target.step > 1:
        target = replace(target, step=_coarse_step(target))
        scores = _coarse_scores(probe, target)
        for kind, values in _coarse_maps(probe, scores, show, shown_class):
            yield Drawn(target.plane, kind, target.view, _repeated(values, target), made, last=False)
        return
    for region in pieces(target.view, target.view):
        for drawn in _draw_piece(probe, target, region, show, shown_class):
            yield Drawn(target.plane, drawn[0], region, drawn[1], made, last=False)


def draw_rest(probe: LinearProbe, target: Target, show: Show, shown_class: int) -> Iterator[Drawn | Waiting]:
    """All of a larger plane, pixel by pixel, nearest to the view first; nothing of a small one."""
    if not target.is_small:
        yield from _draw(probe, target, pieces(_everything(target.field), target.view), show, shown_class)


def pieces(area: Region, view: Region, block: int = BLOCK) -> list[Region]:
    """Pieces that cover an area, those nearest to the middle of the view first.

    Examples
    --------
    >>> pieces((slice(0, 100), slice(0, 100)), (slice(0, 10), slice(0, 10)))
    [(slice(0, 100, None), slice(0, 100, None))]
    """
    rows, columns = area
    found = [
        (slice(row, min(row + block, rows.stop)), slice(column, min(column + block, columns.stop)))
        for row in range(rows.start, rows.stop, block)
        for column in range(columns.start, columns.stop, block)
    ]
    return sorted(found, key=lambda piece: sum(_distance(a, b) for a, b in zip(piece, view, strict=True)))


def _draw(
    probe: LinearProbe, target: Target, regions: list[Region], show: Show, shown_class: int
) -> Iterator[Drawn | Waiting]:
    """A whole plane, piece by piece, finished when all pieces are there."""
    field, finishes, by = target.field, probe.finishing != Cleaning(), probe.identity
    segmentation: np.ndarray = np.zeros(field.shape if finishes else (0, 0), np.uint8)
    for number, region in enumerate(regions, start=1):
        last = number == len(regions)
        made = Made(by, whole=target.complete and last and not finishes)
        for kind, values in _draw_piece(probe, target, region, show, shown_class):
            if kind is Show.SEGMENTATION and finishes:
                segmentation = segmentation.astype(values.dtype, copy=False)
                segmentation[region] = values
                if len(regions) == 1:
                    continue
            yield Drawn(target.plane, kind, region, values, made, last=last and not finishes)
    if finishes:
        # What becomes of a pixel depends on pixels far away: all pieces have to be there.
        finished = segmentation
        for step in cleaning_steps(segmentation, probe.finishing):
            finished = step
            yield Waiting()
        yield Drawn(target.plane, Show.SEGMENTATION, _everything(field), finished, Made(by, whole=target.complete))


def _draw_piece(
    probe: LinearProbe, target: Target, region: Region, show: Show, shown_class: int
) -> Iterator[tuple[Show, NDArray[np.generic]]]:
    yield Show.SEGMENTATION, probe.most_probable(target.field, region)
    if show is Show.UNCERTAINTY:
        yield show, probe.uncertainty(target.field, region)
    elif show is Show.PROBABILITY:
        known = np.flatnonzero(probe.values == shown_class)
        maps = probe.probabilities(target.field, region)
        yield show, maps[known[0]] if len(known) else np.zeros(maps.shape[1:], np.float32)


def _coarse_step(target: Target) -> int:
    """How far apart the pixels lie that are segmented of what is in view."""
    rows, columns = target.view
    pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
    return max(target.step, math.ceil((pixels / COARSE) ** 0.5))


def _coarse_scores(probe: LinearProbe, target: Target) -> NDArray[np.float32]:
    """Scores (K, h, w), each at the middle of what is a pixel of the canvas; NaN where the image has no value."""
    rows, columns = (
        np.minimum(np.arange(part.start, part.stop, target.step) + target.step // 2, part.stop - 1)
        for part in target.view
    )
    known = probe.scores_on(target.field)
    scores = coarse_projection(target.field, known.weights, known.bias, rows, columns)
    if target.field.missing is not None:
        scores[:, target.field.missing[np.ix_(rows, columns)]] = np.nan
    return scores


def _coarse_maps(
    probe: LinearProbe, scores: NDArray[np.float32], show: Show, shown_class: int
) -> Iterator[tuple[Show, NDArray[np.generic]]]:
    missing = np.isnan(scores[0])
    values = probe.values.astype(np.min_scalar_type(probe.values.max()))
    yield Show.SEGMENTATION, np.where(missing, values.dtype.type(0), values[scores.argmax(0)])
    if show not in (Show.UNCERTAINTY, Show.PROBABILITY):
        return
    shares = np.exp(scores - scores.max(0))
    shares = np.nan_to_num(shares / shares.sum(0))
    if show is Show.UNCERTAINTY:
        ranked = np.sort(shares, axis=0)
        yield show, np.where(missing, np.float32(0), 1 - (ranked[-1] - ranked[-2]))
    else:
        known = np.flatnonzero(probe.values == shown_class)
        yield show, shares[known[0]] if len(known) else np.zeros(missing.shape, np.float32)


def _repeated(values: NDArray[np.generic], target: Target) -> NDArray[np.generic]:
    """As large as what is in view."""
    rows, columns = target.view
    wide = np.repeat(values, target.step, axis=1)[:, : columns.stop - columns.start]
    return np.repeat(wide, target.step, axis=0)[: rows.stop - rows.start]


def _everything(field: FeatureField) -> Region:
    return slice(0, field.shape[0]), slice(0, field.shape[1])


def _distance(piece: slice, view: slice) -> int:
    """Pixels between the middle of the view and a piece; 0 inside of it."""
    middle = (view.start + view.stop) // 2
    return max(piece.start - middle, 0, middle - piece.stop + 1)
