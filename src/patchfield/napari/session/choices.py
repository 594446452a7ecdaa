"""Backbones as the panel offers them: what they are good for, under which licence, how much to download."""

from dataclasses import dataclass, replace
from pathlib import Path

from patchfield.backbones import (
    RECOMMENDED,
    Embedded,
    Weight,
    availability,
    download_size,
    find_weight,
    is_here,
    models,
)

DETAILS = {
    "fast": "one view of the image",
    "balanced": "views shifted by half a patch",
    "fine": "views shifted by quarters of a patch",
    "hr-dv2": "the 17 views of HR-Dv2: shifted and mirrored",
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
    def from_weight(cls, weight: Weight) -> "BackboneChoice":
        where = availability(weight)
        title = weight.name if where == "downloaded" else f"{weight.name}  ({where})"
        if weight.name == RECOMMENDED and not is_here(weight):
            title = f"{title}, recommended"
        return cls(weight.name, title, f"{weight.summary} · licence {weight.licence_text}")

    @classmethod
    def from_file(cls, path: str) -> "BackboneChoice":
        return cls(path, Path(path).name, f"Checkpoint {path}")


def backbone_choices() -> list[BackboneChoice]:
    """The embedded ones, then what is on this machine, then what can be downloaded."""
    known = models()
    here = [weight for weight in known if is_here(weight)]
    return [BackboneChoice.from_weight(weight) for weight in here + [weight for weight in known if weight not in here]]


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
    chosen = find_weight(selected)
    offer = download_of(RECOMMENDED)
    if offer is None or chosen is None or not isinstance(chosen.origin, Embedded):
        return None
    gain = "Tells by shape what texture does not. Seconds per megapixel on a GPU, tens of seconds without"
    return replace(offer, gain=f"{gain} · {offer.gain}")


def download_of(backbone: str) -> Offer | None:
    """What it takes to have a backbone; None where it is here, or a file."""
    weight = find_weight(backbone)
    if weight is None or is_here(weight):
        return None
    return Offer(weight.name, f"Download {weight.name} ({download_size(weight)})", f"licence {weight.licence}")
