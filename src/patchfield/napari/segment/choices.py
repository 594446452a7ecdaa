"""Backbones as the panel offers them: what they are good for, under which licence, how much to download."""

from dataclasses import dataclass
from pathlib import Path

from patchfield.backbones import RECOMMENDED, Weight, find_local, models
from patchfield.backbones.registry import EMBEDDED, find_weight

DETAILS = {
    "fast": "one look at the image",
    "balanced": "looks shifted by half a patch",
    "fine": "looks shifted by quarters of a patch",
    "hr-dv2": "the 17 looks of HR-Dv2: shifted and mirrored",
}
"""Samplings by name, and what they do."""


@dataclass(frozen=True)
class BackboneChoice:
    """One entry of the list.

    Attributes
    ----------
    backbone : str
        What :func:`patchfield.load_backbone` takes.
    title, description : str
        The entry, and what is shown below the list while it is chosen.
    """

    backbone: str
    title: str
    description: str

    @classmethod
    def of_weight(cls, weight: Weight) -> "BackboneChoice":
        where = _where(weight)
        title = f"{weight.name}  ({where})" if where else weight.name
        if weight.name == RECOMMENDED and where.endswith("download"):
            title = f"{title}, recommended"
        return cls(weight.name, title, f"{weight.summary} · licence {weight.licence}")

    @classmethod
    def of_file(cls, path: str) -> "BackboneChoice":
        return cls(path, Path(path).name, f"Checkpoint {path}")


def backbone_choices() -> list[BackboneChoice]:
    """The embedded ones, then what is on this machine, then what can be downloaded."""
    known = models()
    here = [weight for weight in known if weight.source is None or find_local(weight) is not None]
    return [BackboneChoice.of_weight(weight) for weight in here + [weight for weight in known if weight not in here]]


@dataclass(frozen=True)
class Offer:
    """A download that is worth its wait.

    Attributes
    ----------
    backbone : str
    title, gain : str
        What a button says, and what the download brings and costs.
    """

    backbone: str
    title: str
    gain: str


def offered(selected: str) -> Offer | None:
    """The recommended transformer, while an embedded backbone is used and the weights are not here."""
    weight = find_weight(RECOMMENDED)
    if weight is None or selected not in {embedded.name for embedded in EMBEDDED} or find_local(weight) is not None:
        return None
    gain = (
        "Tells by shape what texture does not. Seconds per megapixel on a GPU, tens of seconds without · licence "
        f"{weight.licence}"
    )
    return Offer(weight.name, f"Download {weight.name} ({weight.size / 1e6:.0f} MB)", gain)


def _where(weight: Weight) -> str:
    if weight.source is None:
        return "embedded" if weight.size == 0 else "trained here"
    if find_local(weight) is not None:
        return ""
    return f"{weight.size / 1e6:.0f} MB download" if weight.size < 1e9 else f"{weight.size / 1e9:.1f} GB download"
