"""An image of a project: where it is, how it is seen, and what it is known by."""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from patchfield.errors import LabelError
from patchfield.images import ImageSettings, Micrograph, PlaneIndex, Stack, read_image
from patchfield.store.arranged import arranged
from patchfield.store.checks import listing, mapping, require, text, whole
from patchfield.store.content import FileMark, is_there, size_and_time
from patchfield.store.sparse import MAX_PIXELS

_ID = re.compile(r"[0-9a-f]{12}")
_KEYS = frozenset(
    {"id", "name", "path", "size", "modified", "content", "settings", "axes", "lengths", "shape", "channels"}
)
_MAX_AXES = 8


@dataclass(frozen=True)
class ProjectImage:
    """An image of a project.

    Attributes
    ----------
    id : str
        12 hexadecimal digits: its name within the project, whatever the file is called.
    name : str
        What a person calls it: the name of the file, or of the layer.
    path : Path
        Absolute.
    mark : FileMark
        Size, time and content hash of the file when it was added.
    settings : ImageSettings
        How it is seen: contrast, channels, and what its axes mean where the file does not say it.
    axes : str
    lengths : tuple of int
    shape : (int, int)
    channels : int
        As :class:`patchfield.images.Stack` has them.
    """

    id: str
    name: str
    path: Path
    mark: FileMark
    settings: ImageSettings = field(default_factory=ImageSettings)
    axes: str = ""
    lengths: tuple[int, ...] = ()
    shape: tuple[int, int] = (0, 0)
    channels: int = 1

    @classmethod
    def from_stack(
        cls, identifier: str, name: str, path: Path, stack: Stack, settings: ImageSettings
    ) -> "ProjectImage":
        """The entry of an image that is open.

        Raises
        ------
        OSError
            When its file cannot be read.
        """
        seen = cls(identifier, name, path, FileMark.from_file(path), settings)
        return seen.with_geometry_of(stack)

    def with_geometry_of(self, stack: Stack) -> "ProjectImage":
        """The entry with axes and shape of the image as it is now."""
        lengths = tuple(int(length) for length in stack.lengths)
        return replace(
            self, axes=stack.axes, lengths=lengths, shape=(stack.shape[0], stack.shape[1]), channels=stack.channels
        )

    def open(self) -> Stack:
        """Read the image; its planes have the indices that labels are found by.

        Raises
        ------
        ImageError
            When the file is missing or cannot be read, or its planes are others than when it was added.
        """
        return arranged(self.read(), self.axes, self.lengths)

    def read(self) -> Micrograph:
        """Read the file, whatever its planes are.

        Raises
        ------
        ImageError
            When the file is missing or cannot be read.
        """
        return read_image(self.path, axes=self.settings.axes)

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file (any more)."""
        return not is_there(self.path)

    def present_mark(self) -> FileMark:
        """What the file is known by now; read only where size or time are not those of :attr:`mark`.

        Raises
        ------
        OSError
            When there is no such file.
        """
        size, modified = size_and_time(self.path)
        if (size, modified) == (self.mark.size, self.mark.modified):
            return self.mark
        return FileMark.from_file(self.path)

    def has_plane(self, plane: PlaneIndex) -> bool:
        """Whether there is a plane of this index."""
        return len(plane) == len(self.lengths) and all(0 <= i < n for i, n in zip(plane, self.lengths, strict=True))

    def checked_plane(self, plane: PlaneIndex | None) -> PlaneIndex:
        """The index of a plane that the image has; that of the only one may be left out.

        Raises
        ------
        LabelError
        """
        if plane is None and all(length == 1 for length in self.lengths):
            return (0,) * len(self.lengths)
        if plane is None or not self.has_plane(plane):
            shape = (
                " x ".join(f"{axis} {n}" for axis, n in zip(self.axes, self.lengths, strict=True)) or "one plane, ()"
            )
            raise LabelError(f"{self.name} has no plane {plane}: it has {shape}, counted from 0.")
        return tuple(int(position) for position in plane)

    def to_json(self, folder: Path) -> dict[str, Any]:
        """As it is written into a project's folder: paths below or beside the project are relative to it."""
        near = self.path.is_relative_to(folder.parent)
        path = Path(os.path.relpath(self.path, folder)).as_posix() if near else str(self.path)
        return {
            "id": self.id,
            "name": self.name,
            "path": path,
            "size": self.mark.size,
            "modified": self.mark.modified,
            "content": self.mark.content,
            "settings": self.settings.to_json(),
            "axes": self.axes,
            "lengths": list(self.lengths),
            "shape": list(self.shape),
            "channels": self.channels,
        }

    @classmethod
    def from_json(cls, values: Any, folder: Path) -> "ProjectImage":
        """What :meth:`to_json` made.

        Raises
        ------
        ValueError
            When it is something else; says what.
        """
        entry = mapping(values, "an image", _KEYS)
        require(_ID.fullmatch(text(entry["id"], "the id of an image")) is not None, f"the image id {entry['id']!r}")
        path = text(entry["path"], "the path of an image")
        require(bool(path) and "\0" not in path, "the path of an image")
        axes = text(entry["axes"], "the axes of an image")
        lengths = tuple(whole(length, 1, 2**31, "the lengths of an image") for length in listing(entry["lengths"]))
        require(len(axes) == len(lengths) <= _MAX_AXES, "the axes of an image")
        shape = tuple(whole(length, 1, MAX_PIXELS, "the shape of an image") for length in listing(entry["shape"]))
        require(len(shape) == 2 and shape[0] * shape[1] <= MAX_PIXELS, f"the shape {shape} of an image")
        modified = whole(entry["modified"], -(2**63), 2**63, "the time of an image")
        size = whole(entry["size"], 0, 2**63, "the size of an image")
        return cls(
            id=entry["id"],
            name=text(entry["name"], "the name of an image"),
            path=Path(os.path.normpath(folder / path)),
            mark=FileMark(size, modified, text(entry["content"], "the hash of an image")),
            settings=ImageSettings.from_json(mapping(entry["settings"], "the settings of an image")),
            axes=axes,
            lengths=lengths,
            shape=(shape[0], shape[1]),
            channels=whole(entry["channels"], 1, 2**31, "the channels of an image"),
        )
