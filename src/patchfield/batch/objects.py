"""Objects of many segmentations: instances of every file, and one table of them all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.atomic import atomic_path
from patchfield.batch.failures import Failures
from patchfield.batch.job import Outcome, Results, Watch
from patchfield.batch.matching import match_labels
from patchfield.batch.results import Provenance, ResultFolder
from patchfield.batch.tables import SharedTable
from patchfield.errors import LabelError
from patchfield.field import ExtractionStep
from patchfield.images import (
    LabelStack,
    Micrograph,
    labels_of_planes,
    plane_indices,
    read_image,
    read_label_stack,
    write_labels,
)
from patchfield.images.notes import KEY, SOFTWARE, Notes
from patchfield.objects import (
    DEFAULT_NECK,
    Cleaning,
    ObjectTable,
    class_value,
    find_objects,
    require_matplotlib,
    size_distribution,
    size_figure,
)

TABLE = "objects.csv"
COLUMNS = ("image", "path", "label", "name", "made with", "plane", "object")
"""The first ones of the table; what was measured follows."""

_SEGMENTATION = "_segmentation"


@dataclass(frozen=True)
class ObjectJob:
    """Which objects are to be found, and in which files.

    Attributes
    ----------
    segmentations : tuple of Path
        Files, as :func:`patchfield.batch.selection.find_segmentations` found them.
    output : Path
        Folder for the results.
    value : str
        The class: its name, where files name their classes, or its number.
    cleaning : Cleaning
        What is done to every class map first.
    fill_holes : bool
        Whether the class takes over what it encloses.
    split, neck, exclude_border, volume
        As :func:`patchfield.objects.find_objects` has them.
    intensities : tuple of Path
        Images for mean intensities, matched by their names; may be empty.
    axes : str or None
        What the axes of these images are, where they do not say it.
    plot : bool
        Whether the sizes of the objects of each file are drawn.
    overwrite : bool
        Whether results are made again that are there already.
    """

    segmentations: tuple[Path, ...]
    output: Path
    value: str
    cleaning: Cleaning = field(default_factory=Cleaning)
    fill_holes: bool = False
    split: bool = False
    neck: float = DEFAULT_NECK
    exclude_border: bool = False
    volume: bool = False
    intensities: tuple[Path, ...] = ()
    axes: str | None = None
    plot: bool = False
    overwrite: bool = False

    @property
    def made_with(self) -> str:
        """The settings as the command has them."""
        options = [
            (f"--smooth {self.cleaning.smoothing:g}", self.cleaning.smoothing > 0),
            ("--fill-holes", self.fill_holes),
            (f"--min-size {self.cleaning.min_size}", self.cleaning.min_size > 0),
            ("--split", self.split),
            (f"--neck {self.neck:g}", self.split and self.neck != DEFAULT_NECK),
            ("--exclude-border", self.exclude_border),
            ("--volume", self.volume),
        ]
        return " ".join([f"objects --class {self.value}", *(text for text, chosen in options if chosen)])


@dataclass
class FoundObjects(Results):
    """What came of an :class:`ObjectJob`.

    Attributes
    ----------
    summaries : dict of Path to tuple of str
        Of every file that was finished now: name, number of objects, their share of all pixels, median diameter.
    """

    summaries: dict[Path, tuple[str, ...]] = field(default_factory=dict)


def measure_files(job: ObjectJob, watch: Watch) -> FoundObjects:
    """Write ``NAME_objects.tif`` of every segmentation, and add its objects to the table ``objects.csv``.

    Raises
    ------
    PatchfieldError
        When results would replace what they must not, no image belongs to a segmentation, or the figures that are
        wanted cannot be drawn.
    """
    if job.plot:
        require_matplotlib()
    folder = ResultFolder(job.output, (*job.segmentations, *job.intensities), job.overwrite)
    names = folder.names(job.segmentations, "_objects.tif", without=_SEGMENTATION)
    table = SharedTable(job.output / TABLE, COLUMNS, "objects", grows=True)
    images = match_labels(job.segmentations, job.intensities, "images") if job.intensities else {}
    found = FoundObjects(Failures(job.output), names=names)
    for file in job.segmentations:
        with found.failures.caught(file):
            if job.intensities and file not in images:
                raise LabelError(f"{file} has no image among those given for intensities: give its image as well.")
            found.note(file, _measure(job, file, images.get(file), folder, table, found, watch))
    return found


def _measure(
    job: ObjectJob,
    file: Path,
    image: Path | None,
    folder: ResultFolder,
    table: SharedTable,
    found: FoundObjects,
    watch: Watch,
) -> Outcome:
    """Find and measure the objects of one file, if that is still to do."""
    name = found.names[file]
    files = [job.output / f"{name}_objects.tif", *([job.output / f"{name}_sizes.png"] if job.plot else ())]
    of_image = "" if image is None else folder.provenance(image, {})["image"]
    made_with = {"objects": job.made_with, "intensity": of_image, "axes": job.axes or ""}
    provenance = folder.provenance(file, made_with)
    # A run that was killed may have written the files and not the rows.
    if all(folder.is_done(read, files, provenance) for read in (file, image or file)) and table.has(name):
        return Outcome.EARLIER
    labels, pixels = _read(file, image, job.axes)
    value = class_value(job.value, labels.classes, labels.name)
    instances, measured = find_objects(
        labels,
        value,
        cleaning=replace(job.cleaning, fill_holes=(value,)) if job.fill_holes else job.cleaning,
        split=job.split,
        neck=job.neck,
        exclude_border=job.exclude_border,
        volume=job.volume,
        intensity=pixels,
        progress=lambda done, total: watch(file, ExtractionStep(done, total, None)),
    )
    class_name = labels.classes[value].name if value in labels.classes else ""
    begin = {"image": name, "path": str(file), "label": str(value), "name": class_name, "made with": job.made_with}
    write_labels(files[0], instances, labels.calibration, labels.axes, provenance=provenance)
    if job.plot:
        _draw(files[1], measured, f"{name}: {measured.rows} objects", provenance)
    table.replace(name, [begin | row for row in measured.cells()])
    found.summaries[file] = _summary(name, measured, np.count_nonzero(instances) / instances.size)
    return Outcome.FINISHED


def _read(file: Path, image: Path | None, axes: str | None) -> tuple[LabelStack, NDArray[Any] | None]:
    """A segmentation, and the image's pixels for its planes, both with the axes of the image if there is one."""
    labels = read_label_stack(file)
    if image is None:
        return labels, None
    micrograph = read_image(image, axes=axes)
    indices = plane_indices(micrograph)
    planes = labels_of_planes(labels, micrograph)
    in_order = _stacked([planes[index] for index in indices], micrograph)
    pixels = _stacked([np.asarray(micrograph.pixels_at(index)) for index in indices], micrograph)
    own = labels.calibration
    calibration = own if own is not None and own.is_physical else micrograph.calibration or own
    return LabelStack(labels.name, in_order, micrograph.axes, calibration, labels.classes), pixels


def _stacked(planes: Sequence[NDArray[Any]], micrograph: Micrograph) -> NDArray[Any]:
    return np.stack(planes).reshape(*micrograph.lengths, *planes[0].shape)


def _draw(path: Path, measured: ObjectTable, title: str, provenance: Provenance) -> None:
    """The distribution of sizes as a PNG that says what it was made of."""
    figure = size_figure(size_distribution(measured), title)
    metadata: Mapping[str, str] = {"Software": SOFTWARE, KEY: Notes(provenance=provenance).to_text()}
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, metadata=dict(metadata))


def _summary(name: str, measured: ObjectTable, fraction: float) -> tuple[str, ...]:
    sizes = size_distribution(measured)
    median = f"{sizes.median:.4g} {sizes.unit}" if sizes.count else ""
    return name, str(measured.rows), f"{100 * fraction:.2f} %", median
