"""The weights that can be named: where they come from, what they are, what they may be used for."""

from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from patchfield.backbones.positions import PositionRule
from patchfield.errors import BackboneError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Source:
    """A file on the Hugging Face hub.

    Attributes
    ----------
    repo : str
        ``owner/name`` on the hub.
    file : str
        Path inside the repository.
    student_file : str or None
        The student network, where it was released beside the teacher.
    revision : str
        Branch, tag or commit. The branch ``main`` by default, so that a copy which timm already cached is found;
        a backbone's fingerprint tells when the weights behind a name have changed.
    """

    repo: str
    file: str = "model.safetensors"
    student_file: str | None = None
    revision: str = "main"

    def chosen_file(self, student: bool) -> str:
        """The student's file or the teacher's (the only one of most models)."""
        return self.student_file if student and self.student_file else self.file

    def page(self, student: bool = False) -> str:
        """Address of the file for a browser."""
        return f"https://huggingface.co/{self.repo}/resolve/{self.revision}/{self.chosen_file(student)}"


@dataclass(frozen=True)
class Weight:
    """A backbone that :func:`patchfield.load_backbone` knows by name.

    Attributes
    ----------
    name : str
    summary : str
        What it is good for, in one line.
    licence : str
        Of the weights.
    paper : str
        Where it comes from.
    source : Source or None
        Where it is downloaded from; None when it is embedded or lies on this disk.
    size : int
        Bytes of the download: the parameters as float32 and the file's header. NeCo's files may hold a projection
        head on top; the exact number is shown while downloading.
    parameters : int
        Of the backbone.
    architecture : str
        Name in timm.
    patch, grid, registers, channels : int
        Side of a patch in pixels, patches along a side of the images it was trained on, register tokens, and
        length of a token.
    mean, std : tuple of float
        Statistics of the red, green and blue values (0..1) that it was trained with.
    positions : {"scaled", "exact"}
        See :mod:`patchfield.backbones.positions`.
    """

    name: str
    summary: str
    licence: str
    paper: str
    source: Source | None
    size: int
    parameters: int
    architecture: str
    patch: int
    grid: int
    registers: int
    channels: int
    mean: tuple[float, float, float] = field(default=IMAGENET_MEAN, repr=False)
    std: tuple[float, float, float] = field(default=IMAGENET_STD, repr=False)
    positions: PositionRule = "scaled"


FILTERS = Weight(
    name="filters",
    summary="Embedded, no download: smoothed intensities, edges, ridges and local statistics at several scales",
    licence="MIT",
    paper="classical image analysis",
    source=None,
    size=0,
    parameters=0,
    architecture="filter bank",
    patch=1,
    grid=0,
    registers=0,
    channels=0,
)

MICRO = Weight(
    name="micro",
    summary="Embedded, no download: a small network trained on strokes of many kinds of micrographs",
    licence="MIT",
    paper="docs/micro.md",
    source=None,
    size=0,
    parameters=1_510_080,
    architecture="residual U-Net on the filter bank, 64 features at half resolution",
    patch=2,
    grid=0,
    registers=0,
    channels=64,
)

EMBEDDED = (MICRO, FILTERS)
"""What works without a download, the better one first."""

_DINO = "Caron et al., Emerging Properties in Self-Supervised Vision Transformers, arXiv 2104.14294"
_DINOV2 = "Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, arXiv 2304.07193"
_REGISTERS = "Darcet et al., Vision Transformers Need Registers, arXiv 2309.16588"
_NECO = (
    "Pariza et al., Near, far: Patch-ordering enhances vision foundation models' scene understanding, arXiv 2408.11054"
)


def _dinov2(size: str, summary: str, channels: int, parameters: int, file_size: int) -> Weight:
    architecture = f"vit_{size}_patch14_dinov2"
    return Weight(
        name=f"dinov2-{size}",
        summary=summary,
        licence="Apache-2.0",
        paper=_DINOV2,
        source=Source(f"timm/{architecture}.lvd142m"),
        size=file_size,
        parameters=parameters,
        architecture=architecture,
        patch=14,
        grid=37,
        registers=0,
        channels=channels,
    )


def _with_registers(plain: Weight, summary: str, parameters: int, file_size: int) -> Weight:
    architecture = plain.architecture.replace("patch14", "patch14_reg4")
    return replace(
        plain,
        name=f"{plain.name}-reg",
        summary=summary,
        paper=_REGISTERS,
        source=Source(f"timm/{architecture}.lvd142m"),
        size=file_size,
        parameters=parameters,
        architecture=architecture,
        registers=4,
        positions="exact",
    )


def _dino(size: str, patch: int, summary: str, channels: int, parameters: int, file_size: int) -> Weight:
    architecture = f"vit_{size}_patch{patch}_224"
    return Weight(
        name=f"dino-{size}-{patch}",
        summary=summary,
        licence="Apache-2.0",
        paper=_DINO,
        source=Source(f"timm/{architecture}.dino"),
        size=file_size,
        parameters=parameters,
        architecture=architecture,
        patch=patch,
        grid=224 // patch,
        registers=0,
        channels=channels,
    )


def _neco(start: Weight, name: str, run: str, folder: str, summary: str) -> Weight:
    """A model post-trained by NeCo from `start`; student and teacher are files of their own."""
    path = f"{folder}/neco_on_{run}"
    return replace(
        start,
        name=name,
        summary=summary,
        licence="MIT",
        paper=_NECO,
        source=Source("FunAILab/NeCo", file=f"{path}_teacher.ckpt", student_file=f"{path}_model.ckpt"),
        size=start.parameters * 4,
        # NeCo resamples by the scaled rule with registers, too: what it was trained with.
        positions="scaled",
    )


_SMALL = _dinov2("small", "The fast all-rounder", 384, 22_056_192, 88_240_544)
_BASE = _dinov2("base", "Finer distinctions at four times the time of small", 768, 86_579_712, 346_334_904)
_LARGE = _dinov2("large", "For a GPU: richer features", 1024, 304_367_616, 1_217_502_784)
_GIANT = _dinov2("giant", "For a large GPU: the biggest of the family", 1536, 1_136_479_232, 4_545_971_248)
_SMALL_REG = _with_registers(
    _SMALL, "As small, smoother maps: registers take up its stray tokens", 22_057_344, 88_245_232
)
_BASE_REG = _with_registers(_BASE, "As base, smoother maps", 86_582_016, 346_344_200)
_LARGE_REG = _with_registers(_LARGE, "As large, smoother maps", 304_370_688, 1_217_515_160)
_GIANT_REG = _with_registers(_GIANT, "As giant, smoother maps", 1_136_483_840, 4_545_989_768)
_DINO_SMALL_16 = _dino("small", 16, "The first DINO: strong on textures, coarse", 384, 21_665_664, 86_676_368)
_DINO_SMALL_8 = _dino("small", 8, "Patches of 8 px for small details, three times slower", 384, 21_670_272, 86_694_800)
_DINO_BASE_16 = _dino("base", 16, "The first DINO with longer tokens", 768, 85_798_656, 343_208_584)

_V2_SMALL, _V2_BASE = "vit-small/dinov2-architectures", "vit-base/dinov2-architectures"
_V1_SMALL = "vit-small/dino-architectures"

RECOMMENDED = "neco-small"
"""The backbone to download first: small, fast, and trained to keep like patches together."""

WEIGHTS: tuple[Weight, ...] = (
    _neco(_SMALL, "neco-small", "dinov2r_xr_vit14", _V2_SMALL, "Recommended: neighbouring phases kept apart, fast"),
    _neco(_BASE, "neco-base", "dinov2r_xr_vit14", _V2_BASE, "As neco-small, finer distinctions, four times slower"),
    _neco(_SMALL_REG, "neco-small-reg", "dinov2r_vit14", _V2_SMALL, "As neco-small, register tokens kept"),
    _neco(_BASE_REG, "neco-base-reg", "dinov2r_vit14", _V2_BASE, "As neco-base, register tokens kept"),
    _neco(_SMALL, "neco-small-dinov2", "dinov2_vit14", _V2_SMALL, "NeCo from DINOv2 small"),
    _neco(_BASE, "neco-base-dinov2", "dinov2_vit14", _V2_BASE, "NeCo from DINOv2 base"),
    _neco(_DINO_SMALL_16, "neco-small-16-dino", "dino_vit16", _V1_SMALL, "NeCo from DINO small, patch 16"),
    _neco(_DINO_SMALL_16, "neco-small-16-timetuning", "timetuning_vit16", _V1_SMALL, "NeCo from TimeTuning, patch 16"),
    _neco(_DINO_SMALL_16, "neco-small-16-leopart", "leopart_vit16", _V1_SMALL, "NeCo from Leopart, patch 16"),
    _SMALL,
    _SMALL_REG,
    _BASE,
    _BASE_REG,
    _LARGE,
    _LARGE_REG,
    _GIANT,
    _GIANT_REG,
    _DINO_SMALL_16,
    _DINO_SMALL_8,
    _DINO_BASE_16,
)

_BY_NAME = {weight.name: weight for weight in WEIGHTS}


def find_weight(name: str) -> Weight | None:
    """The weight of that name, or None."""
    return _BY_NAME.get(name)


def unknown_name(name: str, known: list[str]) -> BackboneError:
    """The error for a name that is neither in `known` nor a file, with the names closest to it."""
    close = get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known names are {', '.join(known)}."
    return BackboneError(f"There is no backbone and no file called '{name}': {hint}")
