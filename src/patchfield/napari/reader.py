"""Files as napari opens them: images as the command line reads them, labels with their classes, probes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from patchfield.errors import LabelError
from patchfield.images import LabelStack, read_label_stack
from patchfield.napari.layers.opening import ReadFile, placement, read_file
from patchfield.napari.layers.roles import colormap, features_of_classes
from patchfield.napari.plugin import LayerData, opened_panel
from patchfield.store import SUFFIX

NO_LAYERS: list[tuple[None]] = [(None,)]
"""How napari learns that a file was read and adds no layer."""
IMAGE_ENDINGS = (".ome.tif", ".ome.tiff", ".ome.zarr")
"""Names that say more than napari's own reader understands; all other images are read by it where it is asked."""

Read = Callable[[Any], LayerData] | Callable[[Any], list[tuple[None]]]


def read_probe(path: str | list[str]) -> Read | None:
    """napari's question whether we read a path: yes for one file that ends with .probe."""
    return _load_probe if isinstance(path, str) and Path(path).suffix == ".probe" else None


def read_project(path: str | list[str]) -> Read | None:
    """napari's question whether we read a path: yes for one folder that ends with .patchfield."""
    is_project = isinstance(path, str) and Path(path).suffix == SUFFIX and Path(path).is_dir()
    return _open_project if is_project else None


def read_images(path: str | list[str]) -> Read | None:
    """napari's question whether we read a path: yes for OME-TIFF and OME-Zarr, one or several."""
    paths = [path] if isinstance(path, str) else path
    return _layers if all(name.rstrip("/\\").lower().endswith(IMAGE_ENDINGS) for name in paths) else None


def _load_probe(path: str) -> list[tuple[None]]:
    opened_panel().controller.files.load_probe(path)
    return NO_LAYERS


def _open_project(path: str) -> list[tuple[None]]:
    opened_panel().controller.project.open(path)
    return NO_LAYERS


def _layers(path: str | list[str]) -> LayerData:
    return [layer_data(Path(one)) for one in ([path] if isinstance(path, str) else path)]


def layer_data(path: Path) -> tuple[Any, dict[str, Any], str]:
    """A file as napari adds it: labels where it says so itself, else an image.

    Raises
    ------
    ImageError, LabelError
        When it cannot be read.
    """
    labels = _labels(path)
    return _image_layer(read_file(path)) if labels is None else _labels_layer(path, labels)


def _labels(path: Path) -> LabelStack | None:
    """The labels in a file of ours, which names their classes."""
    try:
        labels = read_label_stack(path, max_classes=None)
    except LabelError:
        return None
    return labels if labels.classes else None


def _image_layer(read: ReadFile) -> tuple[Any, dict[str, Any], str]:
    return read.pixels, read.arguments, "image"


def _labels_layer(path: Path, labels: LabelStack) -> tuple[Any, dict[str, Any], str]:
    letters = f"{labels.axes}YX"
    arguments: dict[str, Any] = {
        "name": path.name.partition(".")[0],
        "colormap": colormap({value: known.color for value, known in labels.classes.items()}),
        "features": features_of_classes(labels.classes),
        "metadata": {"classes": dict(labels.classes)},
        **placement(letters, labels.calibration),
    }
    return labels.values, arguments, "labels"
