"""A folder of image files through the probe of the window: the command line's work, with its very results."""

import shlex
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from psygnal import Signal

from patchfield.batch.job import Job as Batch
from patchfield.batch.job import Results
from patchfield.batch.outputs import check_not_inputs
from patchfield.batch.segmentation import check_probe_file, save_probe, segment_with_probe
from patchfield.batch.selection import find_images
from patchfield.field import ExtractionStep
from patchfield.napari.jobs import Job, Reported, Returned, reports
from patchfield.napari.segment.apply import Using
from patchfield.napari.segment.background import Background
from patchfield.pipeline import Extractor
from patchfield.probe import LinearProbe

PROBE = "segmentation.probe"
"""In the folder of the results: what made them, for the command line and for another day."""

FORMATS = {"tiff": "tif", "ome-zarr": "ome.zarr", "png": "png"}
"""What the command line calls a format, and the ending of its files."""


@dataclass(frozen=True)
class FolderOrder:
    """What is to be done with a folder of images; each choice is an option of ``patchfield segment``.

    Attributes
    ----------
    images : Path
        The folder.
    output : Path
        Where results go.
    file_format : str
        "tiff", "ome-zarr" or "png".
    probabilities, resample, overwrite : bool

    Examples
    --------
    >>> FolderOrder(Path("my scans"), Path("out"), resample=True).command
    "patchfield segment 'my scans' --probe out/segmentation.probe --output out --resample"
    """

    images: Path
    output: Path
    file_format: str = "tiff"
    probabilities: bool = False
    resample: bool = False
    overwrite: bool = False

    @property
    def probe_file(self) -> Path:
        return self.output / PROBE

    @property
    def command(self) -> str:
        """The command line that does the same, once the probe is there."""
        words = [
            "patchfield",
            "segment",
            str(self.images),
            "--probe",
            str(self.probe_file),
            "--output",
            str(self.output),
        ]
        words += [] if self.file_format == "tiff" else ["--format", self.file_format]
        words += [f"--{name}" for name in ("probabilities", "resample", "overwrite") if getattr(self, name)]
        return shlex.join(words)


@dataclass(frozen=True)
class _Found:
    """The images there are."""

    images: tuple[Path, ...]


@dataclass(frozen=True)
class _At:
    """A file is being worked on; the ones before it are done."""

    file: Path


@dataclass
class _Watching:
    """Reports each file once, as the batch goes on to it; between its steps the job can be cancelled."""

    report: Callable[["_Found | _At | None"], None]
    last: Path | None = field(default=None)

    def __call__(self, file: Path, step: ExtractionStep) -> None:
        self.report(None if file == self.last else _At(file))
        self.last = file


class FolderRun(Background):
    """Segments the files of a folder with the probe as it is now. Stopped or killed, it goes on where it was when it is
    started again: what this probe has finished is left as it is."""

    finished = Signal(object)
    """What came of the files: :class:`patchfield.batch.job.Results`."""
    title = "Folder"
    _images: tuple[Path, ...] = ()

    def start(self, order: FolderOrder, probe: LinearProbe) -> None:
        """Begin, or go on.

        Parameters
        ----------
        order : FolderOrder
        probe : LinearProbe
            With the names and colours that its classes have now.

        Raises
        ------
        ProbeError
            When nothing segments yet.
        """
        using = Using.of(self._workspace)
        work = partial(_work, order, copy(probe), using)
        self._begin(0, "images", Job(work, self._on_step, self._fail))

    def _on_step(self, step: Reported[_Found | _At | None] | Returned[Results]) -> None:
        match step:
            case Returned(results):
                self._set_progress(None)
                self.finished.emit(results)
            case Reported(_Found(images)):
                self._images = images
                self._pace.total = len(images)
                self._set_progress(self._pace.progress())
            case Reported(_At(file)):
                self._set_progress(self._pace.at(self._images.index(file)))


def _work(
    order: FolderOrder, probe: LinearProbe, using: Using
) -> Iterator[Reported[_Found | _At | None] | Returned[Results]]:
    def run(report: Callable[[_Found | _At | None], None]) -> Results:
        found = find_images([order.images])
        check_not_inputs([order.probe_file], found.files)
        check_probe_file(order.probe_file, found.files)
        save_probe(probe, order.probe_file, order.overwrite)
        report(_Found(found.files))
        if using.extractor is None:
            extractor = Extractor.load(probe.recipes, using.device, lambda done, total: report(None))
        else:
            extractor = Extractor(using.extractor.backbones, probe.recipes)
        job = Batch(
            found.files,
            order.output,
            FORMATS[order.file_format],
            extractor.axes,
            probabilities=order.probabilities,
            overwrite=order.overwrite,
            resample=order.resample,
        )
        return segment_with_probe(job, probe, extractor, _Watching(report), order.probe_file)

    yield from reports(run)


def summary(results: Results, output: Path) -> str:
    """What came of a folder, in a sentence or two.

    Examples
    --------
    >>> from patchfield.batch.failures import Failures
    >>> results = Results(Failures(Path("out")), finished=[Path("a.tif")], earlier=[Path("b.tif")])
    >>> summary(results, Path("out"))
    '1 image segmented, written to out; 1 had been segmented by this probe.'
    """
    count, earlier, failures = len(results.finished), len(results.earlier), results.failures.sentences
    said = f"{count} image{'' if count == 1 else 's'} segmented, written to {output}"
    said += f"; {earlier} had been segmented by this probe" if earlier else ""
    said += f"; {len(results.warnings)} of another magnification (Resample)" if results.warnings else ""
    if failures:
        said += f"; {len(failures)} failed, the first: {next(iter(failures.values())).rstrip('.')}"
    return f"{said}."
