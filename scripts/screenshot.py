"""Pictures of the running app for README and docs, from our own samples.

Needs a display: ``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/screenshot.py [SAMPLE ...]``.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QApplication

from patchfield.napari._qt.panel import PatchfieldPanel
from patchfield.napari.app import open_window
from patchfield.napari.states import State
from patchfield.napari.updates import Show
from patchfield.samples import load_sample

FOLDER = Path(__file__).parents[1] / "docs" / "images"
SIZE = (1500, 940)
PATIENCE = 300


def wait_until(condition: Callable[[], bool]) -> None:
    """Let the app work until `condition` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the app did not get there")
        QApplication.processEvents()
        time.sleep(0.01)
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.02)


def is_settled(panel: PatchfieldPanel) -> bool:
    """Whether the segmentation is up to date and nothing goes on."""
    status, live = panel.controller.status, panel.controller.live
    return status.state is State.LIVE and status.progress is None and not live.updating


def paint(panel: PatchfieldPanel, strokes: np.ndarray, names: dict[int, str]) -> None:
    """Paint strokes and name the classes, as a user would have done."""
    controller = panel.controller
    for value, name in names.items():
        controller.classes.ensure([value])
        controller.classes.change(value, name=name)
    for value in names:
        controller.current.labels.data_setitem(np.nonzero(strokes == value), value)


def picture(sample: str, folder: Path) -> None:
    """The sample untouched, then with strokes, then its uncertainty."""
    material = load_sample(sample)
    viewer, panel = open_window(sample)
    viewer.window.resize(*SIZE)
    wait_until(lambda: panel.controller.status.state is State.NEED_CLASSES)
    viewer.window.screenshot(str(folder / f"{sample}-open.png"), canvas_only=False, flash=False)
    paint(panel, material.strokes, material.class_names)
    wait_until(lambda: is_settled(panel))
    viewer.window.screenshot(str(folder / f"{sample}.png"), canvas_only=False, flash=False)
    panel.controller.show(Show.UNCERTAINTY)
    wait_until(lambda: is_settled(panel))
    viewer.window.screenshot(str(folder / f"{sample}-uncertainty.png"), canvas_only=False, flash=False)
    viewer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="*", default=["alloy"])
    parser.add_argument("--output", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for sample in arguments.samples:
        picture(sample, arguments.output)


if __name__ == "__main__":
    main()
