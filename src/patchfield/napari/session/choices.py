"""Backbones as the panel offers them: what they are good for, under which licence, how much to download."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from patchfield.backbones import (
    RECOMMENDED,
    TIMM_PREFIX,
    Embedded,
    Weight,
    availability,
    download_size,
    find_weight,
    is_here,
    models,
    shortlist,
)

MAX_FOUND = 200
"""So many models of timm are listed; more words leave fewer."""

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
        The entry, and what is shown below the list while it is chosen: what it is good for, and its licence.
    words : str
        What a search looks in.
    """

    backbone: str
    title: str
    description: str
    words: str = ""

    @classmethod
    def from_weight(cls, weight: Weight) -> "BackboneChoice":
        where = availability(weight)
        title = weight.name if where == "downloaded" else f"{weight.name}  ({where})"
        if weight.name == RECOMMENDED and not is_here(weight):
            title = f"{title}, recommended"
        words = f"{weight.name} {weight.summary} {weight.architecture} {weight.licence} {weight.paper}"
        return cls(weight.name, title, f"{weight.summary} · licence {weight.licence_text}", words.lower())

    @classmethod
    def from_name(cls, name: str) -> "BackboneChoice":
        """The entry of a backbone that is in no list by itself: one found by a search, of timm, or a file."""
        weight = find_weight(name)
        if weight is not None:
            return cls.from_weight(weight)
        return cls(name, name, "") if name.startswith(TIMM_PREFIX) else cls(name, Path(name).name, f"Checkpoint {name}")


def backbone_choices() -> list[BackboneChoice]:
    """The embedded ones, then what is on this machine, then what can be downloaded."""
    known = models()
    here = [weight for weight in known if is_here(weight)]
    return [BackboneChoice.from_weight(weight) for weight in here + [weight for weight in known if weight not in here]]


def short_choices() -> list[BackboneChoice]:
    """The embedded ones, what else is on this machine, and the few that are recommended for download."""
    return [BackboneChoice.from_weight(weight) for weight in shortlist()]


def matching(words: str, timm_names: Sequence[str] = ()) -> list[BackboneChoice]:
    """The backbones that all words of a search occur in; those of timm where there is something to look for.

    Examples
    --------
    >>> [choice.backbone for choice in matching("filters mit")]
    ['filters']
    >>> [choice.backbone for choice in matching("timm: resnet 18", ["resnet18.a1_in1k", "resnet50.a1_in1k"])]
    ['timm:resnet18.a1_in1k']
    """
    wanted = words.lower().replace(TIMM_PREFIX, " ").split()
    ours = [choice for choice in backbone_choices() if all(word in choice.words for word in wanted)]
    if not wanted:
        return ours
    found = [name for name in timm_names if all(word in name.lower() for word in wanted)]
    theirs = [BackboneChoice(f"{TIMM_PREFIX}{name}", f"{TIMM_PREFIX}{name}", "") for name in found[:MAX_FOUND]]
    return theirs if words.lower().startswith(TIMM_PREFIX) else ours + theirs


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
    return None if weight is None else download_of_weight(weight)


def download_of_weight(weight: Weight) -> Offer | None:
    """What it takes to have some weights; None where they are here."""
    if is_here(weight):
        return None
    return Offer(weight.name, f"Download {weight.name} ({download_size(weight)})", f"licence {weight.licence_text}")
