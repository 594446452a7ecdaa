"""``timm:NAME``: any model of timm by its name there, with timm's weights or those of a file."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import torch

from patchfield.backbones.published import PUBLISHED
from patchfield.backbones.timm_import import import_timm
from patchfield.backbones.timm_networks import channels_of
from patchfield.backbones.weights import TIMM_PREFIX, Hub, Weight, licence_terms
from patchfield.errors import BackboneError

_BYTES_PER_TENSOR = 100
"""Of a file's header, about."""


def pretrained_names() -> list[str]:
    """All names that ``timm:`` can stand before: models of the installed timm whose weights are on the hub.

    Raises
    ------
    BackboneError
        When timm is not installed.
    """
    return [str(name) for name in import_timm().list_pretrained()]


@dataclass(frozen=True)
class TimmName:
    """What ``timm:ARCHITECTURE.TAG=FILE`` says; tag and file may be missing.

    Attributes
    ----------
    model : str
        Name in timm, with or without the tag of the weights.
    file : Path or None
        A weight file that is used instead of timm's weights.

    Examples
    --------
    >>> TimmName.parse("timm:resnet18=micronet.pth.tar")
    TimmName(model='resnet18', file=...Path('micronet.pth.tar'))
    >>> TimmName.parse("micro") is None
    True
    """

    model: str
    file: Path | None = None

    @classmethod
    def parse(cls, name: str) -> "TimmName | None":
        """The parts of a name that begins with ``timm:``, else None."""
        if not name.startswith(TIMM_PREFIX):
            return None
        model, _, file = name.removeprefix(TIMM_PREFIX).partition("=")
        return cls(model, Path(file).expanduser() if file else None)

    @property
    def architecture(self) -> str:
        """The name without the tag of the weights."""
        return self.model.partition(".")[0]

    def check(self) -> None:
        """Refuse what the installed timm does not know, with the closest names.

        Raises
        ------
        BackboneError
        """
        timm = import_timm()
        if not timm.is_model(self.architecture):
            close = get_close_matches(self.architecture.lower(), timm.list_models(), n=3, cutoff=0.6)
            advice = f"did you mean {' or '.join(close)}?" if close else "look it up with timm.list_models()."
            raise BackboneError(f"timm {timm.__version__} has no model '{self.architecture}': {advice}")
        tagged = timm.list_pretrained(f"{self.architecture}.*")
        if "." in self.model and self.model not in tagged:
            known = f"there are {', '.join(tagged)}." if tagged else "it has none for it."
            raise BackboneError(f"timm {timm.__version__} has no weights '{self.model}': {known}")

    def weight(self) -> Weight:
        """The entry of timm's own weights of that name: one of the catalogue where it has it, else as timm states it.

        Raises
        ------
        BackboneError
            When timm does not know the name, or knows no weights of it on the hub.
        """
        self.check()
        timm = import_timm()
        stated = timm.get_pretrained_cfg(self.model, allow_unregistered=False)
        if stated is None or not stated.hf_hub_id:
            raise BackboneError(
                f"timm has no weights of '{self.model}' on the hub: load a file of them as "
                f"'{TIMM_PREFIX}{self.architecture}=FILE', or choose another model."
            )
        for weight in PUBLISHED:
            if weight.family == "timm" and isinstance(weight.origin, Hub) and weight.origin.repo == stated.hf_hub_id:
                return weight
        with torch.device("meta"):
            outline = timm.create_model(self.architecture, num_classes=0)
        parameters = sum(parameter.numel() for parameter in outline.parameters())
        size = 4 * parameters + _BYTES_PER_TENSOR * len(outline.state_dict())
        tagged = f"{stated.architecture}.{stated.tag}" if stated.tag else stated.architecture
        licence = stated.license or "not stated"
        return Weight(
            name=f"{TIMM_PREFIX}{tagged}",
            summary=f"{self.model} of timm",
            family="timm",
            origin=Hub(stated.hf_hub_id, size, file=stated.hf_hub_filename or "model.safetensors"),
            licence=licence,
            paper="",
            architecture=tagged,
            parameters=parameters,
            channels=channels_of(outline),
            terms=licence_terms(licence),
        )
