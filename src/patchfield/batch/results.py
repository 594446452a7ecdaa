"""The folder of results: what files are called, whose they are, and which are there already."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from patchfield.batch.names import output_names
from patchfield.batch.outputs import check_folder, check_lengths, check_not_inputs, check_ours
from patchfield.errors import OutputError, printable
from patchfield.images import read_provenance

Provenance = Mapping[str, str]
"""What a result was made of and with, as it is written into its file."""

IMAGE = "image"
"""The key of the image's path, relative to the folder of the result."""


@dataclass(frozen=True)
class ResultFolder:
    """A folder that results are written into: never over inputs, nor over files that are not ours.

    Attributes
    ----------
    folder : Path
    inputs : tuple of Path
        Files that are read.
    overwrite : bool
        Whether results are made again that are there already, and those of other probes replaced.
    """

    folder: Path
    inputs: tuple[Path, ...]
    overwrite: bool = False

    def names(self, images: Sequence[Path], ending: str, without: str = "") -> dict[Path, str]:
        """What the results of each image are called, and that they can be written.

        An image keeps the name that its earlier results have; a name that belongs to the results of another image is
        left to it.

        Parameters
        ----------
        images : sequence of Path
        ending : str
            What follows the name in the file that says whose it is: ``_segmentation.tif``.
        without : str, optional
            An ending of the images' stems that is not part of the name.

        Raises
        ------
        OutputError
            When the folder cannot be written to, or a result would replace an input.
        """
        check_folder(self.folder)
        names = output_names(images, cache(lambda name: self._owner(self.folder / f"{name}{ending}")), without)
        check_not_inputs((self.folder / f"{name}{ending}" for name in names.values()), self.inputs)
        return names

    def provenance(self, image: Path, made_with: Provenance) -> dict[str, str]:
        """What is written into the results of an image."""
        try:
            path = os.path.relpath(os.path.realpath(image), os.path.realpath(self.folder))
        except ValueError:  # another drive
            path = os.path.realpath(image)
        return {IMAGE: printable(path), **made_with}

    def is_done(self, image: Path, files: Iterable[Path], provenance: Provenance) -> bool:
        """Whether these results are there already, made in the same way, and not to be made again.

        Raises
        ------
        OutputError
            When one of them would replace an input, a file that is not ours, or a result made in another way.
        """
        files = list(files)
        check_not_inputs(files, self.inputs)
        check_lengths(files)
        check_ours(files)
        existing = {file: read_provenance(file) for file in files if os.path.lexists(file)}
        if self.overwrite or not existing:
            return False
        for file, found in existing.items():
            if found != provenance:
                raise OutputError(
                    f"{file} is the result of {_difference(found or {}, provenance)}: write elsewhere, or replace it "
                    "with --overwrite."
                )
        newest_input = image.stat().st_mtime if image.exists() else 0
        return len(existing) == len(files) and all(file.stat().st_mtime >= newest_input for file in existing)

    def _owner(self, file: Path) -> Path | None:
        """The image that an earlier result is of."""
        found = read_provenance(file) if file.exists() else None
        if not found or IMAGE not in found:
            return None
        return Path(printable(os.path.realpath(self.folder / found[IMAGE])))


def _difference(found: Provenance, wanted: Provenance) -> str:
    """What an earlier result was made of or with that differs."""
    different = next((key for key in {**wanted, **found} if found.get(key) != wanted.get(key)), "")
    words = {
        IMAGE: "another image",
        "probe": "another probe",
        "features": "other features",
        "plane": "another plane",
        "intensity": "another intensity image",
        "resampled": "another magnification",
    }
    return words.get(different, "other settings")
