"""Many files through one probe; a bad file is reported and the others are finished."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.batch.areas import ClassArea, class_areas, read_areas, write_areas
from patchfield.batch.planes import chosen_planes, training_fields
from patchfield.batch.selection import match_labels, output_names
from patchfield.errors import LabelError, PatchfieldError
from patchfield.explore import PrincipalComponents
from patchfield.field import ExtractionStep, FeatureField
from patchfield.images import Calibration, read_image, read_labels, write_labels, write_map, write_rgb
from patchfield.pipeline import Extractor
from patchfield.probe import LinearProbe

Watch = Callable[[Path, ExtractionStep], None]
"""Told which file is being worked on and how far its field is."""


@dataclass(frozen=True)
class Job:
    """What is to be done with which files.

    Attributes
    ----------
    images : sequence of Path
        The files, as `find_images` found them.
    output : Path
        Folder for the results.
    suffix : "tif", "tiff" or "png"
    plane : int or None
        The only plane of stacks that is used.
    probabilities : bool
        Whether probability maps are written beside segmentations.
    """

    images: Sequence[Path]
    output: Path
    suffix: str = "tif"
    plane: int | None = None
    probabilities: bool = False


@dataclass
class Results:
    """What came of a job: the files that were finished, and why the others were not."""

    finished: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    areas: list[ClassArea] = field(default_factory=list)


def segment_with_labels(
    job: Job, labels: Sequence[Path], extractor: Extractor, watch: Watch, save_probe: Path | None = None
) -> Results:
    """Train a probe on the images that have labels, then segment all images.

    Raises
    ------
    PatchfieldError
        When no label file belongs to an image, or what could be read does not suffice to train.
    """
    files = [file for file in job.images if file not in labels]
    matched = match_labels(files, labels)
    training = _Training()
    for file, label_file in matched.items():
        training.add(file, label_file, job.plane, extractor, watch)
    probe = training.fit()
    if save_probe is not None:
        probe.save(save_probe)
    results = Results(failures=training.failures)
    remaining = [file for file in files if file not in training.failures]
    _segment_all(job, remaining, _Segmenter(probe, extractor, training.fields), watch, results)
    return results


def segment_with_probe(job: Job, probe: LinearProbe, extractor: Extractor, watch: Watch) -> Results:
    """Segment images with a probe that was trained before, and its extractor."""
    results = Results()
    _segment_all(job, job.images, _Segmenter(probe, extractor), watch, results)
    return results


def show_components(job: Job, extractor: Extractor, watch: Watch) -> Results:
    """Write the first three principal components of every image's features as red, green and blue."""
    names = output_names(job.images)
    results = Results()
    for file in job.images:
        try:
            micrograph = read_image(file)
            for plane in chosen_planes(micrograph, job.plane):
                plane_field = extractor.field(micrograph, micrograph.at(plane).index, partial(watch, file))
                colours = PrincipalComponents.fit(plane_field).rgb(plane_field)
                name = names[file] if micrograph.planes == 1 else f"{names[file]}_plane{plane}"
                write_rgb(job.output / f"{name}_pca.{job.suffix}", colours, micrograph.calibration)
            results.finished.append(file)
        except (PatchfieldError, OSError) as error:
            results.failures[file] = str(error)
    return results


@dataclass
class _Training:
    """Fields and labels of the images that could be used, and why others could not."""

    fields: dict[tuple[Path, int], FeatureField] = field(default_factory=dict)
    pairs: list[tuple[FeatureField, NDArray[Any]]] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)

    def add(self, file: Path, label_file: Path, plane: int | None, extractor: Extractor, watch: Watch) -> None:
        try:
            fields = training_fields(file, read_labels(label_file), plane, extractor, partial(watch, file))
            for index, plane_field, labels in fields:
                self.fields[file, index] = plane_field
                self.pairs.append((plane_field, labels))
        except (PatchfieldError, OSError) as error:
            self.failures[file] = str(error)

    def fit(self) -> LinearProbe:
        if not self.pairs:
            raise LabelError(next(iter(self.failures.values()), "Nothing is painted in any of the label files."))
        return LinearProbe().fit(self.pairs)


@dataclass(frozen=True)
class _Segmenter:
    """A probe, its extractor, and fields that need not be computed again."""

    probe: LinearProbe
    extractor: Extractor
    known: Mapping[tuple[Path, int], FeatureField] = field(default_factory=dict)

    def write(self, job: Job, file: Path, name: str, watch: Watch) -> list[ClassArea]:
        """Segment one file, write what is wanted of it, and measure its classes."""
        micrograph = read_image(file)
        class_names = {value: info.name for value, info in self.probe.classes.items()}
        segmentations, maps, areas = [], [], []
        for plane in chosen_planes(micrograph, job.plane):
            plane_field = self.known.get((file, plane))
            if plane_field is None:
                plane_field = self.extractor.field(micrograph, micrograph.at(plane).index, partial(watch, file))
            segmentations.append(self.probe.segment(plane_field))
            areas += class_areas(name, plane, segmentations[-1], class_names, micrograph.calibration)
            if job.probabilities:
                maps.append(self.probe.probabilities(plane_field))
        write_labels(
            job.output / f"{name}_segmentation.{job.suffix}", _one_or_stack(segmentations), micrograph.calibration
        )
        if job.probabilities:
            self._write_probabilities(job, name, maps, micrograph.calibration)
        return areas

    def _write_probabilities(
        self, job: Job, name: str, maps: list[NDArray[np.float32]], calibration: Calibration | None
    ) -> None:
        """One TIFF with a channel for every class, or one PNG for every class."""
        if job.suffix != "png":
            write_map(job.output / f"{name}_probability.{job.suffix}", _one_or_stack(maps), calibration)
            return
        for index, value in enumerate(self.probe.values):
            of_class = _one_or_stack([planes[index] for planes in maps])
            write_map(job.output / f"{name}_class{value}_probability.png", of_class, calibration)


def _segment_all(job: Job, files: Sequence[Path], segmenter: _Segmenter, watch: Watch, results: Results) -> None:
    """Segment the files one by one; the table of areas keeps what it holds of other images."""
    names = output_names(files)
    table = job.output / "areas.csv"
    earlier = [row for row in read_areas(table) if row.image not in names.values()]
    for file in files:
        try:
            results.areas += segmenter.write(job, file, names[file], watch)
            write_areas(table, [*earlier, *results.areas])
            results.finished.append(file)
        except (PatchfieldError, OSError) as error:
            results.failures[file] = str(error)


def _one_or_stack(planes: list[NDArray[Any]]) -> NDArray[Any]:
    return planes[0] if len(planes) == 1 else np.stack(planes)
