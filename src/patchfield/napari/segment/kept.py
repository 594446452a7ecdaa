"""Fields that were computed, for as long as there is room."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from patchfield.field import FeatureField, FeatureRecipe
from patchfield.napari.session.planes import Plane


@dataclass(frozen=True)
class KeptField:
    """A field, and whether all of its views are there."""

    field: FeatureField
    complete: bool


class KeptFields:
    """Fields by recipe and plane; those of several backbones are kept one by one and joined on demand."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[FeatureRecipe, Plane], KeptField] = OrderedDict()
        self._joined: dict[Plane, tuple[tuple[FeatureField, ...], FeatureField]] = {}

    def field(self, recipes: Sequence[FeatureRecipe], plane: Plane) -> FeatureField | None:
        """The joined field of a plane, once each backbone has at least its first views; the same one while it lasts."""
        kept = [self._kept.get((recipe, plane)) for recipe in recipes]
        parts = tuple(part.field for part in kept if part is not None)
        if len(parts) < len(recipes):
            return None
        if len(parts) == 1:
            return parts[0]
        known = self._joined.get(plane)
        if known is None or not _same(known[0], parts):
            known = self._joined[plane] = (parts, reduce(or_, parts))
        return known[1]

    def is_complete(self, recipe: FeatureRecipe, plane: Plane) -> bool:
        """Whether the field of a plane has all of its views."""
        kept = self._kept.get((recipe, plane))
        return kept is not None and kept.complete

    def keep(self, recipe: FeatureRecipe, plane: Plane, kept: KeptField) -> None:
        """Keep a field, as the newest."""
        self._kept[recipe, plane] = kept
        self._kept.move_to_end((recipe, plane))

    def make_room(self, max_bytes: int, recipes: Collection[FeatureRecipe], wanted: Collection[Plane]) -> None:
        """Drop the oldest fields that are not of `recipes` and `wanted` planes, until what stays is small enough."""
        total = sum(kept.field.nbytes for kept in self._kept.values())
        for key in list(self._kept):
            if total <= max_bytes:
                return
            if key[0] not in recipes or key[1] not in wanted:
                total -= self._kept.pop(key).field.nbytes
                self._joined.pop(key[1], None)

    def forget(self, image: str) -> None:
        """Drop the fields of an image."""
        for key in [key for key in self._kept if key[1].image == image]:
            del self._kept[key]
            self._joined.pop(key[1], None)

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self._joined.clear()


def _same(some: tuple[FeatureField, ...], others: tuple[FeatureField, ...]) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))
