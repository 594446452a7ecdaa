"""How responsive the real window stays: gaps of a 20 ms timer while features are computed, painted on and looked at.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/responsiveness.py [--megapixels 1]

A ViT-S/14 with random weights computes the features. The row "painting in napari alone" is the floor: the same strokes
on a labels layer that nobody listens to. Needs a display.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from interactive import micrograph
from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.field import FeatureRecipe
from patchfield.napari.app import open_window
from patchfield.napari.session.status import State
from patchfield.napari.session.view import Show

PATIENCE = 300


class Ticks:
    """A 20 ms timer on the GUI thread that notes when it really fired."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._timer = QTimer()
        self._timer.setInterval(20)
        self._timer.timeout.connect(lambda: self._times.append(time.perf_counter()))
        self._timer.start()

    def take(self) -> np.ndarray:
        """Gaps in milliseconds since the last call."""
        gaps = np.diff(self._times) * 1e3
        self._times.clear()
        return gaps if len(gaps) else np.zeros(1)


def run_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Let the window work until `condition` holds, or for some seconds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.001)


def paint_stroke(labels: Labels, value: int, rng: np.random.Generator) -> None:
    """One stroke of 20 brush stamps in 200 ms, as a hand paints it."""
    row, column = rng.integers(10, np.array(labels.data.shape) - 80)
    with labels.block_history():
        for step in range(20):
            labels.paint((int(row), int(column) + 3 * step), value)
            QApplication.processEvents()
            time.sleep(0.01)


def measure(megapixels: float) -> tuple[dict[str, np.ndarray], list[float]]:
    """Gaps by activity, and the seconds from the end of a stroke to the new segmentation on the screen's layer."""
    viewer, panel = open_window(None)
    viewer.window.resize(1500, 940)
    controller, ticks, rng = panel.controller, Ticks(), np.random.default_rng(0)
    gaps: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        vit = random_vit()
        path = Path(folder) / "random-vit-s.safetensors"
        export_checkpoint(path, vit.transformer.vit.state_dict(), vit.spec)
        controller.make_features(FeatureRecipe(str(path)))
        run_until(lambda: False, 1)
        ticks.take()
        alone = viewer.add_labels(np.zeros((1024, 1024), np.uint8))
        for _ in range(8):
            paint_stroke(alone, 1, rng)
        gaps["painting in napari alone"] = ticks.take()
        viewer.layers.remove(alone)
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
        latencies = []
        for turn in range(12):
            paint_stroke(labels, 1 + turn % 2, rng)
            released = time.perf_counter()
            run_until(lambda: not controller.live.updating)
            latencies.append(time.perf_counter() - released)
            run_until(lambda: False, 0.3)
        gaps["painting, segmentation live"] = ticks.take()
        for show in (Show.PCA, Show.CLUSTERS):
            panel.controller.show(show)
            run_until(lambda: not panel.controller.explorer.busy)
            gaps[f"computing {show.value}"] = ticks.take()
    viewer.close()
    return gaps, latencies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=1)
    gaps, latencies = measure(parser.parse_args().megapixels)
    table = Table("while", "median gap", "95th percentile", "longest")
    for activity, values in gaps.items():
        table.add_row(activity, *(f"{np.percentile(values, q):.0f} ms" for q in (50, 95, 100)))
    console = Console(width=120)
    console.print(table)
    console.print(
        f"stroke released -> new segmentation in the layer: median {np.median(latencies) * 1e3:.0f} ms, "
        f"longest {max(latencies) * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()
