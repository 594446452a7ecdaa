"""A scripted hour at the window: real micrographs are opened and painted on, stroke by stroke, with the mouse.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/painting.py --data DIR --kinds DIR [--strokes 16]

Every stroke goes through the middle of the largest mistake of the segmentation that is there, in its true class, as a
person corrects. For each image the table has the time from the release of the mouse to the frame on the screen that
shows the new segmentation of what is in view, gaps of a 20 ms timer on the GUI thread meanwhile, the most memory that
the process took so far, and the mean IoU after the first strokes, half of them and all. The row "painting in napari
alone" is the floor: the same strokes on a labels layer that nobody listens to. "64 Mpx" is a real micrograph, mirrored
side by side, seen whole and at one pixel of the image for each of the screen.

--while adds a table of the gaps while features of a vision transformer (random weights) are computed and looked at.
Needs a display. Times mean something on a quiet machine only; compare rows of one run.
"""

import argparse
import resource
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hand import Eye, Mouse, Ticks, next_stroke, run_until
from interactive import micrograph
from napari.layers import Labels
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.evaluate.metrics import mean_iou
from patchfield.evaluate.micrographs import LabelledImage, labelled_images, labels_of
from patchfield.field import FeatureRecipe
from patchfield.images import read_image
from patchfield.napari.app import open_window
from patchfield.napari.layers import Role
from patchfield.napari.session.status import State
from patchfield.napari.session.view import Show

BRUSH = 6
"""Width of the brush on the screen, in pixels."""

STROKE = 60
"""Length of a stroke on the screen, in pixels."""

PAUSE = 1.0
"""Seconds between two strokes: who paints looks at what came of the last one."""

SCORED = 1 << 20
"""Mistakes and mean IoU of larger images are taken on a grid of about so many pixels."""

FLOOR = "painting in napari alone"


@dataclass(frozen=True)
class Scene:
    """What is opened, and how it is looked at."""

    title: str
    image: NDArray[Any]
    truth: NDArray[np.integer[Any]]
    zoom: float | None = None

    @property
    def planes(self) -> int:
        return len(self.truth) if self.truth.ndim > 2 else 0


@dataclass
class Record:
    """What was measured of a scene."""

    title: str
    latencies: list[float] = field(default_factory=list)
    missed: int = 0
    gaps: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    ious: list[float] = field(default_factory=list)
    bytes: int = 0


def scenes(data: Path, kinds: Path, megapixels: float) -> dict[str, Callable[[], list[Scene]]]:
    """What can be opened, by name; the images are read when they are asked for."""
    return {
        "8-bit": lambda: [_scene("8-bit", data, "steel_uhcs"), _scene("8-bit, 1 Mpx", kinds, "axon_myelin_sem_rats")],
        "16-bit": lambda: [_scene("16-bit", data, "superalloy_sem", np.uint16)],
        "rgb": lambda: [_scene("RGB", data, "nuclei_histology")],
        "stack": lambda: [_stack("stack", data, "timelapse_c2c12")],
        "large": lambda: _large(kinds, "axon_myelin_sem_rats", megapixels),
    }


def _images(folder: Path, name: str) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The labelled images of a set, with their masks, largest first."""
    entries: list[LabelledImage] = [entry for entry in labelled_images(folder)[name] if entry.mask is not None]
    pixels = [(np.asarray(read_image(entry.image).pixels_at(())[...]), entry) for entry in entries]
    for image, entry in sorted(pixels, key=lambda pair: -pair[0].size):
        yield image, labels_of(entry.truth, image.shape[:2])


def _scene(title: str, folder: Path, name: str, dtype: type | None = None) -> Scene:
    image, truth = next(pair for pair in _images(folder, name) if dtype is None or pair[0].dtype == dtype)
    return Scene(f"{title} ({name}, {image.shape[0]} x {image.shape[1]})", image, truth)


def _stack(title: str, folder: Path, name: str) -> Scene:
    pairs = list(_images(folder, name))
    images, truths = (np.stack(part) for part in zip(*pairs, strict=True))
    return Scene(f"{title} ({name}, {' x '.join(map(str, images.shape))})", images, truths)


def _large(folder: Path, name: str, megapixels: float) -> list[Scene]:
    image, truth = next(_images(folder, name))
    side = round((megapixels * 2**20) ** 0.5)
    around = [(0, side - size) for size in image.shape]
    image, truth = np.pad(image, around, "symmetric"), np.pad(truth, around, "symmetric")
    titles = {None: "seen whole", 1.0: "one to one"}
    return [Scene(f"{megapixels:g} Mpx, {title}", image, truth, zoom) for zoom, title in titles.items()]


class Sitting:
    """A window with the panel, in which scenes are painted one after the other."""

    def __init__(self, backbone: str, strokes: int, pause: float) -> None:
        self.viewer, self.panel = open_window(None)
        self.viewer.window.resize(1500, 940)
        self._strokes, self._pause = strokes, pause
        self._ticks, self._mouse = Ticks(), Mouse(self.viewer)
        if (backbone,) != tuple(recipe.backbone for recipe in self.controller.features.recipes):
            self.controller.make_features(FeatureRecipe(backbone))
        self.wait(0.5)

    @property
    def controller(self) -> Any:
        return self.panel.controller

    def wait(self, seconds: float) -> None:
        run_until(lambda: False, seconds)

    def floor(self, scene: Scene) -> Record:
        """The same strokes in napari alone: the panel does not listen to such a layer."""
        record = Record(FLOOR)
        layer = self.viewer.add_labels(np.zeros(scene.truth.shape, np.uint8))
        layer.brush_size, layer.mode = BRUSH, "paint"
        self.viewer.layers.selection.active = layer
        self.viewer.reset_view()
        self.wait(0.5)
        eye = Eye(self.viewer, lambda: layer)
        self._ticks.take()
        for turn in range(self._strokes):
            value, path = next_stroke(np.roll(scene.truth, 37 * turn, 1), None, STROKE, turn) or (1, [])
            layer.selected_label = value
            before = eye.now()
            released = self._mouse.drag(path)
            self.wait(self._pause)
            self._note(record, eye, before, released)
        record.gaps = self._ticks.take()
        eye.close()
        self.viewer.layers.remove(layer)
        return record

    def paint(self, scene: Scene) -> Record:
        """Open a scene and correct it stroke by stroke."""
        record, controller = Record(scene.title), self.controller
        layer = self.viewer.add_image(scene.image, name=scene.title)
        run_until(lambda: controller.current is not None and controller.current.source.layer is layer)
        controller.select_class(1)
        self._look(scene)
        run_until(lambda: controller.status.state is State.NEED_CLASSES and controller.status.progress is None)
        self.wait(0.5)
        eye = Eye(self.viewer, lambda: controller.current and controller.current.result(Role.SEGMENTATION))
        self._ticks.take()
        for turn in range(self._strokes):
            self._stroke(scene, turn, eye, record)
        record.gaps, record.bytes = self._ticks.take(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        eye.close()
        self._forget(layer)
        return record

    def _look(self, scene: Scene) -> None:
        self.viewer.reset_view()
        if scene.zoom is not None:
            self.viewer.scene.camera.zoom = scene.zoom
        labels = self.controller.current.labels
        labels.brush_size = max(1, round(BRUSH / self.viewer.scene.camera.zoom))

    def _stroke(self, scene: Scene, turn: int, eye: Eye, record: Record) -> None:
        """The next correction, and how long its answer takes."""
        if scene.planes:
            self.viewer.dims.set_current_step(0, turn // 4 % scene.planes)
            self.wait(0.2)
            run_until(lambda: self.controller.status.progress is None and not self.controller.live.updating)
        corner, step = self._part(scene)
        truth = self._plane(scene, scene.truth)[corner][::step, ::step]
        begun = turn < len(np.unique(scene.truth[scene.truth > 0]))
        segmentation = None if begun else self._segmented(scene)[corner][::step, ::step]
        zoom = self.viewer.scene.camera.zoom
        stroke = next_stroke(truth, segmentation, STROKE / zoom / step, turn)
        if stroke is None:
            return
        value, path = stroke
        self.controller.select_class(value)
        before = eye.now()
        released = self._mouse.drag(
            (row * step + corner[0].start, column * step + corner[1].start) for row, column in path
        )
        self.wait(self._pause)
        run_until(lambda: not self.controller.live.updating)
        run_until(lambda: eye.is_up_to_date, 5)
        if self.controller.live.probe is not None:
            self._note(record, eye, before, released)
            record.ious.append(self._mean_iou(scene, step))

    def _note(self, record: Record, eye: Eye, before: NDArray[Any] | None, released: float) -> None:
        final = eye.now()
        latency = None if final is None else eye.first_frame_of(final, before, released)
        if latency is None:
            record.missed += 1
        else:
            record.latencies.append(latency)
        eye.frames.clear()

    def _part(self, scene: Scene) -> tuple[tuple[slice, slice], int]:
        """What is in view, and the step of the grid on which it is judged."""
        (top, left), (bottom, right) = self.controller.current.labels.corner_pixels[:, -2:]
        height, width = scene.truth.shape[-2:]
        rows, columns = (
            slice(max(0, int(top)), min(height, int(bottom))),
            slice(max(0, int(left)), min(width, int(right))),
        )
        pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
        return (rows, columns), max(1, round((pixels / SCORED) ** 0.5))

    def _plane(self, scene: Scene, array: NDArray[Any]) -> NDArray[Any]:
        return array[self.viewer.dims.current_step[0]] if scene.planes else array

    def _segmented(self, scene: Scene) -> NDArray[Any]:
        return self._plane(scene, self.controller.current.result(Role.SEGMENTATION).data)

    def _mean_iou(self, scene: Scene, step: int) -> float:
        truth = self._plane(scene, scene.truth)[::step, ::step]
        return mean_iou(self._segmented(scene)[::step, ::step][truth > 0], truth[truth > 0])

    def _forget(self, layer: Any) -> None:
        """Begin the next scene with an empty window and a new probe."""
        for other in list(self.viewer.layers):
            self.viewer.layers.remove(other)
        self.wait(0.3)


def paint_stroke(labels: Labels, value: int, rng: np.random.Generator) -> None:
    """One stroke of 20 brush stamps in 200 ms, without the mouse."""
    row, column = rng.integers(10, np.array(labels.data.shape) - 80)
    with labels.block_history():
        for step in range(20):
            labels.paint((int(row), int(column) + 3 * step), value)
            run_until(lambda: False, 0.01)


def gaps_meanwhile(megapixels: float) -> dict[str, NDArray[np.float64]]:
    """Gaps while the features of a ViT-S/14 with random weights are loaded, computed, painted on and looked at."""
    viewer, panel = open_window(None)
    viewer.window.resize(1500, 940)
    controller, ticks, rng = panel.controller, Ticks(), np.random.default_rng(0)
    gaps: dict[str, NDArray[np.float64]] = {}
    with tempfile.TemporaryDirectory() as folder:
        vit, path = random_vit(), Path(folder) / "random-vit-s.safetensors"
        export_checkpoint(path, vit.transformer.vit.state_dict(), vit.spec)
        controller.make_features(FeatureRecipe(str(path)))
        run_until(lambda: False, 1)
        viewer.add_image(micrograph(megapixels))
        ticks.take()
        run_until(lambda: controller.status.state is State.NEED_CLASSES)
        gaps["loading, first view"] = ticks.take()
        assert controller.current is not None
        labels, turn = controller.current.labels, 0
        while controller.status.progress is not None:
            paint_stroke(labels, 1 + turn % 2, rng)
            turn += 1
        gaps["painting during extraction"] = ticks.take()
        for show in (Show.PCA, Show.CLUSTERS):
            controller.show(show)
            run_until(lambda: not controller.explorer.busy)
            gaps[f"computing {show.value}"] = ticks.take()
    viewer.close()
    return gaps


def report(console: Console, records: list[Record]) -> None:
    table = Table(
        "image", "release to screen: median", "95 %", "GUI gap: 95 %", "longest", "most memory", "mean IoU, strokes"
    )
    for record in records:
        times = np.array(record.latencies or [np.nan]) * 1e3
        late = f" ({record.missed} not seen)" if record.missed else ""
        ious = record.ious
        chosen = sorted({0, len(ious) // 2, len(ious) - 1}) if ious else []
        table.add_row(
            record.title,
            f"{np.median(times):.0f} ms{late}",
            f"{np.percentile(times, 95):.0f} ms",
            f"{np.percentile(record.gaps, 95):.0f} ms",
            f"{record.gaps.max():.0f} ms",
            f"{record.bytes / 2**30:.1f} GiB" if record.bytes else "",
            ", ".join(f"{ious[i]:.2f}" for i in chosen),
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--data", type=Path, default=beside / "data", help="labelled sets (default: ../shared/data)")
    parser.add_argument("--kinds", type=Path, default=beside / "kinds", help="more of them (default: ../shared/kinds)")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="8-bit, 16-bit, rgb, stack, large (default: all)")
    parser.add_argument("--megapixels", type=float, default=64, help="of the large image (default: 64)")
    parser.add_argument("--strokes", type=int, default=16, help="on each image (default: 16)")
    parser.add_argument("--pause", type=float, default=PAUSE, help=f"seconds between strokes (default: {PAUSE:g})")
    parser.add_argument("--backbone", default="micro", help="what features are made with (default: micro)")
    parser.add_argument("--while", dest="meanwhile", action="store_true", help="also gaps while features are computed")
    options = parser.parse_args()
    console, known = Console(width=150), scenes(options.data, options.kinds, options.megapixels)
    sitting = Sitting(options.backbone, options.strokes, options.pause)
    records: list[Record] = []
    for name in options.only or known:
        for scene in known[name]():
            if not records:
                records.append(sitting.floor(scene))
            records.append(sitting.paint(scene))
    sitting.viewer.close()
    report(console, records)
    if options.meanwhile:
        table = Table("while", "median gap", "95 %", "longest")
        for activity, values in gaps_meanwhile(1).items():
            table.add_row(activity, *(f"{np.percentile(values, q):.0f} ms" for q in (50, 95, 100)))
        console.print(table)


if __name__ == "__main__":
    main()
