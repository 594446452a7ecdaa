"""Paint in a window without a display until killed: ``killed_window.py IMAGE`` says which strokes are kept.

A process of its own. Each stroke is one row of class 1 or 2; when it is on the disk, its number is printed, and how
many seconds that took.
"""

import queue
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from napari.components import ViewerModel

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import ThreadRunner


def main(image: Path) -> None:
    calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    controller = Controller(ViewerModel(), ThreadRunner(calls.put), FeatureRecipe("filters", "fast"))
    controller.images.add_files([image])
    painted, kept, begun = 0, 0, time.monotonic()
    while True:
        try:
            calls.get(timeout=0.02)()
        except queue.Empty:
            pass
        if controller.current is None or controller.project.has_pending:
            continue
        if kept < painted:
            kept = painted
            print("kept", kept, f"{time.monotonic() - begun:.2f}", flush=True)
        rows = np.full(40, painted % 90), np.arange(40)
        controller.current.labels.data_setitem(rows, 1 + (painted + painted // 90) % 2)
        painted, begun = painted + 1, time.monotonic()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
