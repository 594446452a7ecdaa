"""What is known of a backbone before it is loaded: one entry per weight."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from patchfield.backbones.spec import ViTSpec

Family = Literal["filters", "micro", "vit", "timm"]
"""Which code a backbone runs on: the filter bank, a small network on top of it, our vision transformer, or timm's
models."""

_PERMISSIVE = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0")

TIMM_PREFIX = "timm:"
"""What names of timm's models begin with."""


@dataclass(frozen=True)
class Embedded:
    """Part of Patchfield: always here."""


@dataclass(frozen=True)
class Trained:
    """A file that training put into the folder of weights.

    Attributes
    ----------
    path : Path
    size : int
        In bytes.
    """

    path: Path
    size: int


@dataclass(frozen=True)
class Hub:
    """A file on the Hugging Face hub.

    Attributes
    ----------
    repo : str
        ``owner/name`` on the hub.
    size : int
        Bytes of the download: the parameters as float32 and the file's header. NeCo's files may hold a projection
        head on top; the exact number is shown while downloading.
    file : str
        Path inside the repository.
    student_file : str or None
        The student network, where it was released beside the teacher.
    revision : str
        Branch, tag or commit. The branch ``main`` by default, so that a copy which timm already cached is found;
        a backbone's fingerprint tells when the weights behind a name have changed.
    """

    repo: str
    size: int
    file: str = "model.safetensors"
    student_file: str | None = None
    revision: str = "main"

    def chosen_file(self, student: bool) -> str:
        """The student's file or the teacher's (the only one of most models)."""
        return self.student_file if student and self.student_file else self.file

    def page(self, student: bool = False) -> str:
        """Address of the file for a browser.

        Examples
        --------
        >>> Hub("owner/model", size=1000).page()
        'https://huggingface.co/owner/model/resolve/main/model.safetensors'
        """
        return f"https://huggingface.co/{self.repo}/resolve/{self.revision}/{self.chosen_file(student)}"


Origin = Embedded | Trained | Hub


@dataclass(frozen=True)
class Weight:
    """A backbone that :func:`patchfield.load_backbone` knows by name.

    Attributes
    ----------
    name : str
    summary : str
        What it is good for, in one line.
    family : {"filters", "micro", "vit", "timm"}
    origin : Embedded, Trained or Hub
        Where its weights come from.
    licence : str
        Of the weights.
    paper : str
        Where it is described.
    architecture : str
        Name in timm, or a phrase.
    parameters : int
        Of the backbone.
    channels : int
        Length of a token, over all levels.
    spec : ViTSpec or None
        Of our vision transformers: what exactly the weights are of.
    terms : str
        What the licence forbids or asks for, where that is more than a mention; said before the first download.
    """

    name: str
    summary: str
    family: Family
    origin: Origin
    licence: str
    paper: str
    architecture: str
    parameters: int
    channels: int
    spec: ViTSpec | None = None
    terms: str = ""

    @property
    def licence_text(self) -> str:
        """The licence with its terms, for lists.

        Examples
        --------
        >>> from patchfield.backbones import find_weight
        >>> find_weight("dinov3-small").licence_text
        'dinov3-license (no nuclear or military use; gated at its source)'
        """
        return f"{self.licence} ({self.terms})" if self.terms else self.licence


def licence_terms(licence: str) -> str:
    """What a licence, as timm names it, forbids or asks for; empty for permissive ones.

    Examples
    --------
    >>> licence_terms("dinov3-license"), licence_terms("cc-by-nc-4.0"), licence_terms("apache-2.0")
    ('no nuclear or military use; gated at its source', 'no commercial use', '')
    """
    if licence.startswith("dinov3"):
        return "no nuclear or military use; gated at its source"
    if "-nc" in licence or "noncommercial" in licence:
        return "no commercial use"
    return "" if licence in _PERMISSIVE else "may forbid what you do"
