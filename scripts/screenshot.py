"""Pictures of the running app for README and docs, from our own samples.

Needs a display: ``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/screenshot.py [SAMPLE]``.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QApplication

from patchfield.napari._qt.panel import PatchfieldPanel
from patchfield.napari.app import open_window
from patchfield.napari.session.status import State
from patchfield.napari.session.view import Show
from patchfield.samples import load_sample

FOLDER = Path(__file__).parents[1] / "docs" / "images"
SIZE = (1600, 1000)
PATIENCE = 300


def wait_until(condition: Callable[[], bool]) -> None:
    """Let the app work until `condition` holds, and then draw."""
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
    assert controller.current is not None
    controller.classes.ensure(names)
    for value, name in names.items():
        controller.classes.rename(value, name)
        controller.current.labels.data_setitem(np.nonzero(strokes == value), value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sample", nargs="?", default="alloy")
    parser.add_argument("--output", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    sample = load_sample(arguments.sample)
    viewer, panel = open_window(sample.name)
    viewer.window.resize(*SIZE)

    def take(name: str) -> None:
        viewer.window.screenshot(str(arguments.output / f"{name}.png"), canvas_only=False, flash=False)

    wait_until(lambda: panel.controller.status.state is State.NEED_CLASSES)
    viewer.reset_view()
    paint(panel, sample.strokes, sample.class_names)
    wait_until(lambda: is_settled(panel) and panel.controller.live.agreement is not None)
    take("panel")
    panel.controller.show(Show.UNCERTAINTY)
    wait_until(lambda: is_settled(panel))
    take("uncertainty")
    panel.controller.show(Show.PCA)
    wait_until(lambda: not panel.controller.explorer.busy)
    take("pca")
    viewer.close()


if __name__ == "__main__":
    main()
