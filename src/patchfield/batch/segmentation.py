"""Many files through one probe; a file that fails is reported and the others are finished."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.batch.areas import AreaTable, ClassArea, class_areas
from patchfield.batch.failures import Failures
from patchfield.batch.job import Job, Outcome, Results, Watch
from patchfield.batch.labels import LabelFiles
from patchfield.batch.matching import match_labels
from patchfield.batch.outputs import check_folder, check_not_inputs
from patchfield.batch.results import Provenance, ResultFolder
from patchfield.errors import LabelError, OutputError, ProbeError
from patchfield.images import ImageSettings, Micrograph, check_writable, write_labels, write_map
from patchfield.pipeline import Extractor
from patchfield.probe import LinearProbe, is_probe
from patchfield.probe.planes import KeptFields, LabelledPlane, PlaneTask, segment_planes, train_probe

TABLE = "areas.csv"


def segment_with_labels(
    job: Job,
    labels: Sequence[Path],
    extractor: Extractor,
    watch: Watch,
    probe_file: Path | None = None,
    probe: LinearProbe | None = None,
) -> Results:
    """Train a probe, or correct one, on the images that have labels, then segment all images.

    Raises
    ------
    PatchfieldError
        When no label file belongs to an image, what could be read does not suffice to train, or results would replace
        what they must not.
    """
    matched = match_labels(job.images, labels)
    writer = _Writer.prepared(job, (*job.images, *labels))
    failures, kept, label_files = writer.results.failures, KeptFields(), LabelFiles()
    files: dict[LabelledPlane, Path] = {}
    for file, label_file in matched.items():
        with failures.caught(file):
            files |= dict.fromkeys(label_files.read(job, job.open(file), label_file), file)
    if not files:
        reasons = iter(failures.sentences.values())
        raise LabelError(next(reasons, "Nothing is painted in any of the label files."))
    try:
        trained = train_probe(
            list(files),
            extractor,
            label_files.classes,
            progress=lambda plane, step: watch(files[plane], step),
            kept=kept,
            guard=lambda plane: failures.caught(files[plane]),
            probe=probe,
        )
    except LabelError:
        if all(file in failures.sentences for file in files.values()):
            raise LabelError(next(iter(failures.sentences.values()))) from None
        raise
    trained = job.finishing.applied(trained)
    if probe_file is not None:
        save_probe(trained, probe_file, job.overwrite)
    writer.segment_all(trained, extractor, watch, kept)
    return writer.results


def segment_with_probe(job: Job, probe: LinearProbe, extractor: Extractor, watch: Watch, probe_file: Path) -> Results:
    """Segment images with a probe that was trained before, and an extractor of its recipes.

    Raises
    ------
    PatchfieldError
        When results would replace what they must not.
    """
    writer = _Writer.prepared(job, (*job.images, probe_file))
    writer.segment_all(job.finishing.applied(probe), extractor, watch, KeptFields(0))
    return writer.results


def check_probe_file(path: Path, inputs: Sequence[Path]) -> None:
    """Make sure that a probe may be saved to `path`.

    Raises
    ------
    OutputError
        When it would replace an input or something else than a probe, or cannot be written.
    """
    check_not_inputs([path], inputs)
    if path.is_dir():
        raise OutputError(f"{path} is a folder: give a file for the probe.")
    if path.exists() and not is_probe(path):
        raise OutputError(f"{path} is no probe and would be replaced: move it, or save the probe elsewhere.")
    check_folder(path.parent)


def save_probe(probe: LinearProbe, path: Path, overwrite: bool) -> None:
    """Save a probe; one that has learned something else is only replaced when that is asked for.

    Raises
    ------
    OutputError
        When another one is there.
    """
    if path.exists() and not overwrite:
        try:
            known = LinearProbe.load(path).fingerprint
        except ProbeError:
            known = ""
        if known != probe.fingerprint:
            raise OutputError(f"{path} is another probe: save this one elsewhere, or replace it with --overwrite.")
    probe.save(path)


@dataclass(frozen=True)
class _Writer:
    """Segments files and writes what is wanted of them."""

    job: Job
    folder: ResultFolder
    table: AreaTable
    results: Results

    @classmethod
    def prepared(cls, job: Job, inputs: tuple[Path, ...]) -> "_Writer":
        """Everything is checked that can be before anything is computed."""
        folder = ResultFolder(job.output, inputs, job.overwrite)
        names = folder.names(job.images, f"_segmentation.{job.suffix}")
        return cls(job, folder, AreaTable(job.output / TABLE), Results(Failures(job.output), names=names))

    def segment_all(self, probe: LinearProbe, extractor: Extractor, watch: Watch, kept: KeptFields) -> None:
        check_writable(self.job.output / f"segmentation.{self.job.suffix}", largest=int(probe.values.max()))
        for file in self.job.images:
            if file in self.results.failures.sentences:
                continue
            with self.results.failures.caught(file):
                outcome = self._segment(file, probe, extractor, watch, kept)
                self.results.note(file, outcome)

    def _segment(self, file: Path, probe: LinearProbe, extractor: Extractor, watch: Watch, kept: KeptFields) -> Outcome:
        """Segment one file, if that is still to do."""
        job, name = self.job, self.results.names[file]
        files = [self._file(name, "segmentation"), *(self._probability_files(name, probe) if job.probabilities else ())]
        # Only then, so that results of before, and those without it, are known again.
        resampling = {"resampled": "yes"} if job.resample else {}
        provenance = self.folder.provenance(file, {"probe": probe.fingerprint, **job.made_with, **resampling})
        # A run that was killed may have written the files and not the areas.
        if self.folder.is_done(file, files, provenance) and self.table.has(name):
            return Outcome.EARLIER
        micrograph = job.open(file)
        if self.results.is_done_with_another(micrograph):
            return Outcome.PART
        settings = self._settings(file, micrograph, probe, extractor)
        indices = job.planes(micrograph)
        check_writable(files[0], planes=len(indices))
        tasks = [
            PlaneTask(micrograph, index, kept.take(micrograph, index) if settings is None else None, settings)
            for index in indices
        ]
        class_names = {value: info.name for value, info in probe.classes.items()}
        made = _Made()
        for step in segment_planes(tasks, probe, extractor):
            if step.extraction is not None:
                watch(file, step.extraction)
            if step.labels is None or step.field is None:
                continue
            made.segmentations.append(step.labels)
            made.areas += class_areas(name, file, step.task.index, step.labels, class_names, micrograph.calibration)
            if job.probabilities:
                made.maps.append(probe.probabilities(step.field))
        self._write(made, files, micrograph, probe, provenance)
        self.table.replace(name, made.areas)
        return Outcome.FINISHED

    def _settings(
        self, file: Path, micrograph: Micrograph, probe: LinearProbe, extractor: Extractor
    ) -> ImageSettings | None:
        """How to see an image of another magnification; None for all others, and where a warning has to do."""
        mismatch = probe.pixel_size_mismatch(micrograph.calibration)
        if mismatch is None:
            return None
        if self.job.resample:
            return mismatch.settings(extractor.recipes[0].image)
        self.results.warnings[file] = f"{file}: {mismatch.sentence}"
        return None

    def _write(
        self, made: "_Made", files: list[Path], micrograph: Micrograph, probe: LinearProbe, provenance: Provenance
    ) -> None:
        axes, lengths = self.job.axes_of_result(micrograph)
        calibration = micrograph.calibration
        whole = _stacked(made.segmentations, lengths)
        write_labels(files[0], whole, calibration, axes, classes=probe.classes, provenance=provenance)
        if self.job.probabilities and self.job.suffix == "png":
            for path, of_class in zip(files[1:], made.maps[0], strict=True):
                write_map(path, of_class, calibration, provenance=provenance)
        elif self.job.probabilities:
            write_map(files[1], _stacked(made.maps, lengths), calibration, axes, provenance=provenance)

    def _file(self, name: str, what: str) -> Path:
        return self.job.output / f"{name}_{what}.{self.job.suffix}"

    def _probability_files(self, name: str, probe: LinearProbe) -> list[Path]:
        """One TIFF with a channel for every class, or one PNG for every class."""
        if self.job.suffix != "png":
            return [self._file(name, "probability")]
        return [self._file(name, f"class{value}_probability") for value in probe.values]


@dataclass
class _Made:
    """What was made of an image so far, plane by plane."""

    segmentations: list[NDArray[np.unsignedinteger]] = field(default_factory=list)
    maps: list[NDArray[np.float32]] = field(default_factory=list)
    areas: list[ClassArea] = field(default_factory=list)


def _stacked(planes: list[NDArray[Any]], lengths: tuple[int, ...]) -> NDArray[Any]:
    """Planes in the file's order as one array with the leading axes of the image."""
    return np.stack(planes).reshape(*lengths, *planes[0].shape)
