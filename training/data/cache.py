"""What was read from files, kept up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from mmap import mmap
from typing import Any, Generic, TypeVar

import numpy as np

from patchfield.images import ImageSettings, Micrograph, ModelImage, model_image, plane_indices
from training.data.collection import Plane, open_image

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """The most recently used values, up to a number of bytes; the latest one is kept whatever its size.

    Parameters
    ----------
    capacity : int
        Bytes.
    read : callable
        Makes the value of a key.
    weigh : callable
        Bytes that keeping a value costs.

    Examples
    --------
    >>> cache = BoundedCache(3, read=str, weigh=len)
    >>> [cache[number] for number in (1, 22, 333)], len(cache)
    (['1', '22', '333'], 1)
    """

    def __init__(self, capacity: int, read: Callable[[Key], Value], weigh: Callable[[Value], int]) -> None:
        self._capacity = capacity
        self._read = read
        self._weigh = weigh
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Key) -> Value:
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._read(key)
        self._values[key] = value
        self.bytes += self._weigh(value)
        while self.bytes > self._capacity and len(self._values) > 1:
            self.bytes -= self._weigh(self._values.popitem(last=False)[1])
        return value


class ImageCache:
    """Planes of image files as a model sees them; the decoded files are kept.

    Parameters
    ----------
    settings : ImageSettings
    capacity : int
        Bytes; memory maps weigh nothing.
    """

    def __init__(self, settings: ImageSettings, capacity: int) -> None:
        self._settings = settings
        self.files: BoundedCache[str, Micrograph] = BoundedCache(
            capacity, partial(open_image, settings=settings), decoded_bytes
        )

    def image(self, plane: Plane) -> ModelImage:
        """The plane as a model sees it.

        Raises
        ------
        ImageError
            When the file has gone, or has changed since the collection was opened.
        """
        micrograph = self.files[plane.path]
        return model_image(micrograph, self._settings, plane_indices(micrograph)[plane.plane])


def decoded_bytes(micrograph: Micrograph) -> int:
    """Bytes that keeping a decoded file costs; 0 for a memory map."""
    owner: Any = micrograph.stack
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return 0 if isinstance(owner, mmap) else int(micrograph.stack.nbytes)
