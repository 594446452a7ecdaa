"""The weights that ship with Patchfield or are published: what they are, where they come from, what they are for."""

from dataclasses import replace

from patchfield.backbones.spec import ViTSpec
from patchfield.backbones.weights import Embedded, Hub, Weight, licence_terms

FILTERS = Weight(
    name="filters",
    summary="Embedded, no download: smoothed intensities, edges, ridges and local statistics at several scales",
    family="filters",
    origin=Embedded(),
    licence="MIT",
    paper="classical image analysis",
    architecture="filter bank",
    parameters=0,
    channels=82,
)

MICRO = Weight(
    name="micro",
    summary="Embedded, no download: a small network trained on strokes of many kinds of micrographs",
    family="micro",
    origin=Embedded(),
    licence="MIT",
    paper="docs/micro.md",
    architecture="residual U-Net on the filter bank, 64 features at half resolution",
    parameters=1_510_080,
    channels=64,
)

EMBEDDED = (MICRO, FILTERS)
"""What works without a download, the better one first."""

_PE_TENSORS = 149

_DINO = "Caron et al., Emerging Properties in Self-Supervised Vision Transformers, arXiv 2104.14294"
_DINOV2 = "Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, arXiv 2304.07193"
_REGISTERS = "Darcet et al., Vision Transformers Need Registers, arXiv 2309.16588"
_NECO = (
    "Pariza et al., Near, far: Patch-ordering enhances vision foundation models' scene understanding, arXiv 2408.11054"
)


def _vit(channels: int, depth: int, patch: int, grid: int, layer_scale: bool, gated: bool = False) -> ViTSpec:
    """A transformer of the DINO family: one head per 64 channels, a class token, no registers."""
    return ViTSpec(
        channels=channels,
        depth=depth,
        heads=channels // 64,
        patch=patch,
        grid=grid,
        registers=0,
        class_token=True,
        mlp_width=8192 if gated else 4 * channels,
        swiglu=gated,
        layer_scale=layer_scale,
        qkv_bias=True,
        positions="scaled",
    )


def _dinov2(size: str, summary: str, channels: int, depth: int, parameters: int, file_size: int) -> Weight:
    architecture = f"vit_{size}_patch14_dinov2"
    return Weight(
        name=f"dinov2-{size}",
        summary=summary,
        family="vit",
        origin=Hub(f"timm/{architecture}.lvd142m", file_size),
        licence="Apache-2.0",
        paper=_DINOV2,
        architecture=architecture,
        parameters=parameters,
        channels=channels,
        spec=_vit(channels, depth, patch=14, grid=37, layer_scale=True, gated=size == "giant"),
    )


def _with_registers(plain: Weight, summary: str, parameters: int, file_size: int) -> Weight:
    architecture = plain.architecture.replace("patch14", "patch14_reg4")
    return replace(
        plain,
        name=f"{plain.name}-reg",
        summary=summary,
        origin=Hub(f"timm/{architecture}.lvd142m", file_size),
        paper=_REGISTERS,
        architecture=architecture,
        parameters=parameters,
        spec=replace(_spec(plain), registers=4, positions="exact"),
    )


def _dino(size: str, patch: int, summary: str, channels: int, parameters: int, file_size: int) -> Weight:
    architecture = f"vit_{size}_patch{patch}_224"
    return Weight(
        name=f"dino-{size}-{patch}",
        summary=summary,
        family="vit",
        origin=Hub(f"timm/{architecture}.dino", file_size),
        licence="Apache-2.0",
        paper=_DINO,
        architecture=architecture,
        parameters=parameters,
        channels=channels,
        spec=_vit(channels, depth=12, patch=patch, grid=224 // patch, layer_scale=False),
    )


def _neco(start: Weight, name: str, run: str, folder: str, summary: str) -> Weight:
    """A model post-trained by NeCo from `start`; student and teacher are files of their own."""
    path = f"{folder}/neco_on_{run}"
    size = start.parameters * 4
    return replace(
        start,
        name=name,
        summary=summary,
        origin=Hub("FunAILab/NeCo", size, file=f"{path}_teacher.ckpt", student_file=f"{path}_model.ckpt"),
        licence="MIT",
        paper=_NECO,
        # NeCo resamples by the scaled rule with registers, too: what it was trained with.
        spec=replace(_spec(start), positions="scaled"),
    )


def _timm(
    name: str, architecture: str, summary: str, licence: str, paper: str, channels: int, parameters: int, tensors: int
) -> Weight:
    """A model that runs on timm's own code; its file is the parameters and a header of some bytes per tensor."""
    return Weight(
        name=name,
        summary=summary,
        family="timm",
        origin=Hub(f"timm/{architecture}", 4 * parameters + 100 * tensors),
        licence=licence,
        paper=paper,
        architecture=architecture,
        parameters=parameters,
        channels=channels,
        terms=licence_terms(licence.lower()),
    )


def _pe_spatial(size: str, summary: str, channels: int, parameters: int) -> Weight:
    architecture = f"vit_pe_spatial_{size}_patch16_512.fb"
    paper = "Meta, Perception Encoder, 2025"
    return _timm(f"pe-spatial-{size}", architecture, summary, "Apache-2.0", paper, channels, parameters, _PE_TENSORS)


def _dinov3(name: str, architecture: str, summary: str, channels: int, parameters: int, tensors: int) -> Weight:
    paper = "Meta, DINOv3, 2025"
    return _timm(f"dinov3-{name}", architecture, summary, "dinov3-license", paper, channels, parameters, tensors)


def _spec(weight: Weight) -> ViTSpec:
    assert weight.spec is not None
    return weight.spec


_SMALL = _dinov2("small", "The fast all-rounder", 384, 12, 22_056_192, 88_240_544)
_BASE = _dinov2("base", "Finer distinctions at four times the time of small", 768, 12, 86_579_712, 346_334_904)
_LARGE = _dinov2("large", "For a GPU: richer features", 1024, 24, 304_367_616, 1_217_502_784)
_GIANT = _dinov2("giant", "For a large GPU: the biggest of the family", 1536, 40, 1_136_479_232, 4_545_971_248)
_SMALL_REG = _with_registers(
    _SMALL, "As small, smoother maps: registers take up its stray tokens", 22_057_344, 88_245_232
)
_BASE_REG = _with_registers(_BASE, "As base, smoother maps", 86_582_016, 346_344_200)
_LARGE_REG = _with_registers(_LARGE, "As large, smoother maps", 304_370_688, 1_217_515_160)
_GIANT_REG = _with_registers(_GIANT, "As giant, smoother maps", 1_136_483_840, 4_545_989_768)
_DINO_SMALL_16 = _dino("small", 16, "The first DINO: strong on textures, coarse", 384, 21_665_664, 86_676_368)
_DINO_SMALL_8 = _dino("small", 8, "Patches of 8 px for small details, three times slower", 384, 21_670_272, 86_694_800)
_DINO_BASE_16 = _dino("base", 16, "The first DINO with longer tokens", 768, 85_798_656, 343_208_584)

_TIPSV2_BASE = _timm(
    "tipsv2-base",
    "vit_base_patch14_reg1_tipsv2.webli",
    "Learnt patch by patch, patch 14",
    "Apache-2.0",
    "DeepMind, TIPSv2, CVPR 2026",
    channels=768,
    parameters=86_314_752,
    tensors=175,
)
_DINOV3 = (
    _dinov3(
        "small",
        "vit_small_patch16_dinov3.lvd1689m",
        "Rotary positions; strong on medical images, reported to degrade on electron micrographs",
        384,
        21_586_944,
        162,
    ),
    _dinov3(
        "small-plus",
        "vit_small_plus_patch16_dinov3.lvd1689m",
        "As dinov3-small, a third more weights",
        384,
        28_683_264,
        186,
    ),
    _dinov3("base", "vit_base_patch16_dinov3.lvd1689m", "As dinov3-small, longer tokens", 768, 85_641_216, 162),
    _dinov3(
        "convnext-tiny",
        "convnext_tiny.dinov3_lvd1689m",
        "A convolutional pyramid: tokens every 4 to 32 pixels",
        1440,
        27_820_128,
        180,
    ),
)

_V2_SMALL = "vit-small/dinov2-architectures"
_V2_BASE = "vit-base/dinov2-architectures"
_V1_SMALL = "vit-small/dino-architectures"

RECOMMENDED = "neco-small"
"""The backbone to download first: small, fast, and trained to keep like patches together."""

SHORTLIST = (RECOMMENDED, "neco-base", "pe-spatial-tiny", "pe-spatial-small", "tipsv2-base", "dinov3-small")
"""What lists offer for download before everything else."""

PUBLISHED: tuple[Weight, ...] = (
    _neco(_SMALL, "neco-small", "dinov2r_xr_vit14", _V2_SMALL, "Recommended: neighbouring phases kept apart, fast"),
    _neco(_BASE, "neco-base", "dinov2r_xr_vit14", _V2_BASE, "As neco-small, finer distinctions, four times slower"),
    _neco(_SMALL_REG, "neco-small-reg", "dinov2r_vit14", _V2_SMALL, "As neco-small, register tokens kept"),
    _neco(_BASE_REG, "neco-base-reg", "dinov2r_vit14", _V2_BASE, "As neco-base, register tokens kept"),
    _neco(_SMALL, "neco-small-dinov2", "dinov2_vit14", _V2_SMALL, "NeCo from DINOv2 small"),
    _neco(_BASE, "neco-base-dinov2", "dinov2_vit14", _V2_BASE, "NeCo from DINOv2 base"),
    _neco(_DINO_SMALL_16, "neco-small-16-dino", "dino_vit16", _V1_SMALL, "NeCo from DINO small, patch 16"),
    _neco(_DINO_SMALL_16, "neco-small-16-timetuning", "timetuning_vit16", _V1_SMALL, "NeCo from TimeTuning, patch 16"),
    _neco(_DINO_SMALL_16, "neco-small-16-leopart", "leopart_vit16", _V1_SMALL, "NeCo from Leopart, patch 16"),
    _pe_spatial("tiny", "Trained for dense features, the smallest download; patch 16", 192, 5_683_200),
    _pe_spatial("small", "Trained for dense features, patch 16", 384, 21_983_232),
    _pe_spatial("base", "As pe-spatial-small, longer tokens, four times the size", 768, 86_433_792),
    _TIPSV2_BASE,
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
    *_DINOV3,
)
