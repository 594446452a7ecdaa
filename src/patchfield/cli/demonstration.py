"""The main job on a shipped sample: strokes become a segmentation, with pictures of every step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.backbones import load_backbone
from patchfield.batch.outputs import check_folder, check_ours
from patchfield.evaluate.metrics import mean_iou
from patchfield.explore import PrincipalComponents
from patchfield.explore.pictures import Picture, as_picture, blended, overlay, sheet
from patchfield.field import FeatureField
from patchfield.images import model_image, write_image, write_labels, write_map, write_rgb
from patchfield.pipeline import Download, Progress, extract
from patchfield.probe import ClassInfo, LinearProbe, find_strokes
from patchfield.samples import Sample

_TITLES = ("input", "strokes", "segmentation", "probability", "pca")
_MASK_TITLE = "exact mask"


@dataclass(frozen=True)
class Demonstration:
    """What the demo did.

    Attributes
    ----------
    summary : str
        The timing line.
    files : tuple of Path
        Everything that was written.
    mean_iou : float or None
        Against the exact mask, where the sample has one.
    """

    summary: str
    files: tuple[Path, ...]
    mean_iou: float | None


def demonstrate(
    sample: Sample,
    folder: Path,
    backbone_name: str = "micro",
    sampling: str = "balanced",
    progress: Progress | None = None,
    download: Download | None = None,
) -> Demonstration:
    """Segment a sample from its strokes and write what goes in and what comes out.

    Of a stack, the first plane is used.

    Raises
    ------
    BackboneError
        When the backbone is unknown or cannot be loaded.
    OutputError
        When the folder cannot be written to, or holds files of others that would be replaced.
    """
    sample = _first_plane(sample)
    check_folder(folder)
    check_ours(folder / name for name in (*_picture_names(sample), *_result_names(sample)))
    backbone = load_backbone(backbone_name, progress=download)
    classes = {value: ClassInfo(name, ClassInfo.default(value).color) for value, name in sample.class_names.items()}
    probe = LinearProbe()
    start = perf_counter()
    field = extract(sample.image, backbone, sampling, progress=progress)
    extracted = perf_counter()
    probe.fit([(field, _without_last_stroke(sample.strokes))], classes).segment(field)
    before_last_stroke = perf_counter()
    segmentation = probe.fit([(field, sample.strokes)], classes).segment(field)
    after_last_stroke = perf_counter()
    score = None if sample.mask is None else mean_iou(segmentation, sample.mask)
    files = _write(sample, field, probe, segmentation, folder)
    height, width = field.shape
    summary = (
        f"{sample.name}, {width} x {height} px, {np.count_nonzero(sample.strokes) / sample.strokes.size:.2%} painted, "
        f"{backbone.name}: features {extracted - start:.2f} s ({field.nbytes / 1e6:.1f} MB), "
        f"first segmentation {before_last_stroke - extracted:.2f} s, "
        f"after one more stroke {1000 * (after_last_stroke - before_last_stroke):.0f} ms"
    )
    if score is not None:
        summary += f"; mean IoU {score:.3f} against the exact mask"
    return Demonstration(summary, files, score)


def _without_last_stroke(labels: NDArray[Any]) -> NDArray[Any]:
    strokes = find_strokes(labels)
    fewer = labels.copy()
    fewer.flat[strokes.pixels[strokes.numbers == strokes.count - 1]] = 0
    return fewer


def _first_plane(sample: Sample) -> Sample:
    if sample.planes == 1:
        return sample
    mask = None if sample.mask is None else sample.mask[0]
    return Sample(sample.name, sample.title, sample.image[0], sample.strokes[0], mask, sample.class_names)


def _write(
    sample: Sample, field: FeatureField, probe: LinearProbe, segmentation: NDArray[Any], folder: Path
) -> tuple[Path, ...]:
    """Pictures to look at, and the files that `patchfield segment` takes and gives."""
    colors = {value: info.color for value, info in probe.classes.items()}
    probabilities = probe.probabilities(field)
    pictures = _pictures(sample, field, segmentation, probabilities, colors)
    writers: tuple[Callable[[Path], None], ...] = (
        *(partial(write_rgb, colours=picture) for picture in pictures.values()),
        lambda path: write_rgb(path, sheet(pictures)),
        lambda path: write_image(path, sample.image),
        lambda path: write_labels(path, sample.strokes, classes=probe.classes),
        lambda path: write_labels(path, segmentation, classes=probe.classes),
        lambda path: write_map(path, probabilities),
        probe.save,
    )
    files = tuple(folder / name for name in (*_picture_names(sample), *_result_names(sample)))
    for file, write in zip(files, writers, strict=True):
        write(file)
    return files


def _picture_names(sample: Sample) -> list[str]:
    """What the pictures to look at are called, in their order."""
    return [
        f"{title.replace(' ', '_')}.png" for title in (*_TITLES, *([_MASK_TITLE] if sample.mask is not None else []))
    ]


def _result_names(sample: Sample) -> list[str]:
    """What the other files are called, in their order."""
    endings = (".tif", "_strokes.tif", "_segmentation.tif", "_probability.tif", ".probe")
    return ["overview.png", *(f"{sample.name}{ending}" for ending in endings)]


def _pictures(
    sample: Sample,
    field: FeatureField,
    segmentation: NDArray[Any],
    probabilities: NDArray[np.float32],
    colors: dict[int, str],
) -> dict[str, Picture]:
    """What goes in and what comes out, by name."""
    image = as_picture(model_image(sample.image).whole())
    shown = (
        image,
        overlay(image, sample.strokes, colors, opacity=1),
        overlay(image, segmentation, colors),
        blended(probabilities, list(colors.values())),
        as_picture(PrincipalComponents.fit(field).rgb(field)),
    )
    pictures = dict(zip(_TITLES, shown, strict=True))
    if sample.mask is not None:
        pictures[_MASK_TITLE] = overlay(image, sample.mask, colors)
    return pictures
