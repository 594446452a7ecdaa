"""Where training starts from: a vision transformer, loaded whole."""

from dataclasses import dataclass, replace
from typing import Literal

from patchfield.backbones import ViT, ViTSpec, load_backbone, random_vit
from patchfield.backbones.positions import PositionRule
from patchfield.backbones.spec import State
from training.errors import TrainingError

_RANDOM = "random:"
_SIZES, _PATCHES = ("tiny", "small", "base"), ("8", "14", "16")


@dataclass(frozen=True)
class Start:
    """The backbone that training starts from.

    Attributes
    ----------
    spec : ViTSpec
    state : mapping of str to Tensor
        On the CPU, float32.
    fingerprint : str
        Of the backbone as it was loaded.
    """

    spec: ViTSpec
    state: State
    fingerprint: str


def load_start(
    init: str,
    network: Literal["teacher", "student"] = "teacher",
    drop_registers: bool = False,
    positions: PositionRule | None = None,
) -> Start:
    """Load the initial backbone.

    Parameters
    ----------
    init : str
        A name that `patchfield models` lists, or a checkpoint file.
    network : {"teacher", "student"}
        Which one to take where a file holds both.
    drop_registers : bool
        Leave its register tokens out.
    positions : {"scaled", "exact"}, optional
        How positional encodings are resampled; by default as the backbone does.

    Raises
    ------
    BackboneError
        When it cannot be loaded.
    TrainingError
        When it is nothing that can be trained.
    """
    backbone = load_backbone(init, device="cpu", weights=network)
    if not isinstance(backbone, ViT):
        raise TrainingError(
            f"'{init}' is no vision transformer and cannot be trained: "
            "choose another one that `patchfield models` lists."
        )
    spec = backbone.spec
    state: State = {key: value.detach() for key, value in backbone.transformer.vit.state_dict().items()}
    if drop_registers:
        spec, state = without_registers(spec, state)
    if positions is not None:
        spec = replace(spec, positions=positions)
    return Start(spec, state, backbone.fingerprint)


def is_random(init: str) -> bool:
    """Whether training is to start from random weights."""
    return init.startswith(_RANDOM)


def random_start(init: str, seed: int) -> Start:
    """A transformer of random weights, without a class token.

    Parameters
    ----------
    init : str
        random:tiny-16, random:small-16, random:base-16, or with patches of 8 or 14 pixels.
    seed : int

    Raises
    ------
    TrainingError
        When there is no such size.

    Examples
    --------
    >>> random_start("random:tiny-16", seed=0).spec.summary()
    '12 blocks of 192 channels, patch 16, 14 x 14 patches, no registers, no class token'
    """
    size, _, patch = init.removeprefix(_RANDOM).partition("-")
    if size not in _SIZES or patch not in _PATCHES:
        known = ", ".join(f"{_RANDOM}{name}-16" for name in _SIZES)
        raise TrainingError(f"there is no random transformer '{init}': give {known}, or patches of 8 or 14 pixels.")
    architecture = f"vit_{size}_patch16_224"
    classless = {"class_token": False, "global_pool": "avg", "fc_norm": False}
    vit = random_vit(architecture, seed, patch_size=int(patch), device="cpu", **classless)
    state: State = {key: value.detach() for key, value in vit.transformer.vit.state_dict().items()}
    return Start(vit.spec, state, vit.fingerprint)


def without_registers(spec: ViTSpec, state: State) -> tuple[ViTSpec, State]:
    """The transformer with its register tokens left out ("XR" in NeCo's names)."""
    if not spec.registers:
        raise TrainingError("the initial backbone has no registers to drop: leave drop_registers at false.")
    return spec.without_registers(), {key: value for key, value in state.items() if key != "reg_token"}
