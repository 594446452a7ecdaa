"""Picture of the section that adapts a backbone, for the docs: what is asked for, a run, its result.

Needs a display and some minutes: ``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/screenshot_adapting.py``. The
run is a real one, from a small transformer with random weights, in a folder of weights that is thrown away.
"""

import os
import tempfile
from pathlib import Path

from PIL import Image
from qtpy.QtWidgets import QApplication
from screenshot import FOLDER, SIZE, wait_until

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.napari._qt.panel import PatchfieldPanel
from patchfield.napari.adapt.adapting import Phase
from patchfield.napari.app import open_window

START = "small-vit"
STEPS, BATCH, PICTURED_STEP = 40, 2, 14
BACKGROUND, GAP = (34, 34, 42), 24


def export_start(folder: Path) -> None:
    """A transformer small enough for a processor."""
    vit = random_vit("vit_small_patch14_dinov2", depth=4, embed_dim=192, num_heads=3, img_size=224, device="cpu")
    export_checkpoint(folder / f"{START}.safetensors", vit.transformer.vit.state_dict(), vit.spec)


def picture(panel: PatchfieldPanel, path: Path) -> Image.Image:
    """The section as it is now."""
    wait_until(lambda: True)
    panel.adapt.grab().save(str(path))
    return Image.open(path).convert("RGBA")


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    width = sum(shown.width + GAP for shown in pictures) + GAP
    whole = Image.new("RGBA", (width, max(shown.height for shown in pictures) + 2 * GAP), BACKGROUND)
    left = GAP
    for shown in pictures:
        whole.alpha_composite(shown, (left, GAP))
        left += shown.width + GAP
    return whole.convert("RGB")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "weights"
        os.environ["PATCHFIELD_WEIGHTS"] = str(weights)
        export_start(weights)
        viewer, panel = open_window()
        viewer.window.resize(*SIZE)
        panel.images.collapse(animate=False)
        panel.classes.collapse(animate=False)
        panel.segment.collapse(animate=False)
        panel.adapt.expand(animate=False)
        pictures = [picture(panel, Path(scratch) / "form.png")]
        panel.adapt.steps.setValue(STEPS)
        panel.adapt.batch.setValue(BATCH)
        panel.adapt.begin.click()
        adapting = panel.controller.adapting

        def is_under_way() -> bool:
            progress = adapting.status.progress
            return adapting.status.phase is Phase.TRAINING and progress is not None and progress.done >= PICTURED_STEP

        wait_until(is_under_way)
        pictures.append(picture(panel, Path(scratch) / "run.png"))
        wait_until(lambda: not adapting.status.is_busy)
        pictures.append(picture(panel, Path(scratch) / "result.png"))
        side_by_side(pictures).save(FOLDER / "adapting.png")
        viewer.close()
        QApplication.processEvents()


if __name__ == "__main__":
    main()
