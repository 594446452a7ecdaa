"""What post-training a transformer on unlabelled images takes, whatever the objective."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, Self

from rich.console import Console

from patchfield.backbones import Backbone
from patchfield.backbones.positions import PositionRule
from patchfield.evaluate.micrographs import labelled_sets
from patchfield.runs.folder import IMAGES, METRICS
from training.data.augment import AugmentSettings
from training.data.collection import Collection, open_images
from training.data.crops import CropSettings
from training.data.windows import SampleSettings, TileSettings
from training.engine.launch import RunContext
from training.engine.settings import RunSettings
from training.errors import TrainingError, require
from training.networks.student_teacher import OptimiserSettings, TeacherSettings


@dataclass(frozen=True, kw_only=True)
class PostTrainingSettings(RunSettings):
    """What every objective has that changes a transformer by unlabelled images.

    Attributes
    ----------
    images : Path or list of Path
        Folders of images (searched with all folders in them), or image files. Images of any size and bit depth;
        masks and strokes beside them are left aside.
    init : str
        Backbone to start from: a name that `patchfield models` lists, or a checkpoint file.
    labels : Path, optional
        Folder of labelled images: the backbone is evaluated before and after; its test images are never trained on.
    init_network : {"teacher", "student"}
        Which network to start from where a checkpoint holds both.
    drop_registers : bool
        Leave the register tokens of the initial backbone out, as the published "XR" models do.
    positions : {"scaled", "exact"}, optional
        How positional encodings are resampled; by default as the initial backbone does. Published: scaled, with
        registers too.
    device : {"auto", "cpu", "cuda"}
        Where to compute; auto takes the GPUs when there are any. Several: start with torchrun.
    precision : {"auto", "fp32", "bf16"}
        Of the backbone; auto is bf16 on GPUs that have it, fp32 elsewhere. The loss is always fp32.
    recompute : bool
        Recompute the backbone's activations in the backward pass: less memory, a third slower.
    monitor_every : int
        Steps between two measurements of the features (effective rank, drift, consistency).
    crops, augmentation, tiles, teacher, optimiser : settings
        See below.
    """

    INCIDENTAL: ClassVar[frozenset[str]] = RunSettings.INCIDENTAL | {"labels", "monitor_every"}
    RENAMED: ClassVar[dict[str, str]] = {
        "crops.globals": "crops.global_crops",
        "crops.locals": "crops.local_crops",
    }

    images: Path | list[Path]
    init: str
    labels: Path | None = None
    init_network: Literal["teacher", "student"] = "teacher"
    drop_registers: bool = False
    positions: PositionRule | None = None
    recompute: bool = False
    monitor_every: int = 100
    crops: CropSettings = field(default_factory=CropSettings)
    augmentation: AugmentSettings = field(default_factory=AugmentSettings)
    tiles: TileSettings = field(default_factory=TileSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.monitor_every >= 1, "monitor_every must be at least 1")

    @property
    def sources(self) -> list[Path]:
        """Folders and files of images."""
        return self.images if isinstance(self.images, list) else [self.images]

    @property
    def samples(self) -> SampleSettings:
        """What decides the samples."""
        return SampleSettings(self.seed, self.crops, self.augmentation, self.tiles, self.teacher.clean)

    @property
    def least_side(self) -> int:
        """Sides of images in pixels, at least."""
        return self.tiles.least_side or self.crops.global_size

    def for_patch(self, patch: int) -> Self:
        """The same settings with both crop sizes cut down to whole patches (98 px are 6.1 patches of 16).

        Raises
        ------
        TrainingError
            When crops are smaller than two patches.
        """
        sizes = {name: getattr(self.crops, name) // patch * patch for name in ("global_size", "local_size")}
        needed = [sizes["global_size"], *([sizes["local_size"]] if self.crops.local_crops else [])]
        if min(needed) < 2 * patch:
            raise TrainingError(
                f"crops of {self.crops.global_size} and {self.crops.local_size} pixels are too small for patches of "
                f"{patch}: both sides must hold at least two patches."
            )
        return replace(self, crops=replace(self.crops, **{name: max(size, patch) for name, size in sizes.items()}))


def open_collection(settings: PostTrainingSettings, context: RunContext) -> Collection:
    """The images of a run, without those that it will be judged by."""
    held_out = []
    if settings.labels is not None:
        held_out = [image.image for labelled in labelled_sets(settings.labels) for image in labelled.test]
    console = context.console if context.is_first else None
    return open_images(
        settings.sources, held_out, settings.tiles.image_settings, settings.least_side, context.folder / IMAGES, console
    )


def compare_with_start(settings: PostTrainingSettings, teacher: Path, console: Console) -> None:
    """Write the report on the labelled images, before and after."""
    from patchfield.evaluate.report import compare

    assert settings.labels is not None
    output = Path(settings.output)
    backbones: dict[str, str | Path | Backbone] = {"before": settings.init, "after": teacher}
    report = compare(backbones, settings.labels, output=output / "evaluation", log=output / METRICS)
    console.print(report.table(), highlight=False, markup=False, soft_wrap=True)
    console.print(f"Written: {output / 'evaluation'}", highlight=False, soft_wrap=True)
