"""The embedded backbones and the panel need no timm; transformers can be loaded after the window has loaded LLVM."""

import os
import subprocess
import sys

import pytest

HEAVY = ("timm", "torchvision", "torch._dynamo", "triton")


def run(program: str, **environment: str) -> list[str]:
    """The lines that a program prints in a process of its own, which must end well."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_embedded_backbones_segment_without_timm():
    program = f"""
import sys
import numpy as np, patchfield as pf
image, labels = np.eye(64), np.zeros((64, 64), np.uint8)
labels[3, 3], labels[10, 40] = 1, 2
for name in ("micro", "filters"):
    field = pf.extract(image, name)
    pf.LinearProbe().fit([(field, labels)]).segment(field)
pf.models()
print([name for name in {HEAVY} if name in sys.modules])
"""
    assert run(program) == ["[]"]


WINDOW = f"""
import sys
from pathlib import Path
import napari, numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

viewer = napari.Viewer()
viewer.add_image(np.zeros((96, 128), np.uint8))

def mapped(library):
    maps = Path("/proc/self/maps")
    return maps.exists() and library in maps.read_text()

def choose():
    assert "torch" not in sys.modules
    before = mapped("libLLVM")
    viewer.window.add_plugin_dock_widget("napari-patchfield")
    print("panel", [name for name in {HEAVY} if name in sys.modules])
    import torch
    from patchfield.backbones import random_vit
    vit = random_vit("vit_tiny_patch16_224", depth=1, device="cpu")
    print("transformer", tuple(vit.encode(torch.rand(1, 3, 32, 48))[0].shape))
    print("mesa first", before)
    QTimer.singleShot(100, QApplication.instance().quit)

QTimer.singleShot(1000, choose)
napari.run()
"""


@pytest.mark.skipif(
    not os.environ.get("DISPLAY") and sys.platform not in ("darwin", "win32"), reason="no display: run under xvfb-run"
)
def test_a_running_window_survives_the_panel_and_a_transformer():
    """libLLVM is there first where Mesa draws; with another driver the test is easier to pass."""
    panel, transformer, _ = run(WINDOW, LIBGL_ALWAYS_SOFTWARE="1")
    assert panel == "panel []"
    assert transformer == "transformer (1, 192, 2, 3)"
