"""Where training starts from: a vision transformer, loaded whole."""

from dataclasses import dataclass, replace
from typing import Literal

from patchfield.backbones import ViT, ViTSpec, load_backbone
from patchfield.backbones.positions import PositionRule
from patchfield.backbones.spec import State
from training.errors import TrainingError


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


def without_registers(spec: ViTSpec, state: State) -> tuple[ViTSpec, State]:
    """The transformer with its register tokens left out ("XR" in NeCo's names)."""
    if not spec.registers:
        raise TrainingError("the initial backbone has no registers to drop: leave drop_registers at false.")
    return spec.without_registers(), {key: value for key, value in state.items() if key != "reg_token"}
