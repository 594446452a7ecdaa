"""All backbones that have a name: embedded, trained here, published; and what listings say about each."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from patchfield.backbones.header import Header, Kind, read_header
from patchfield.backbones.local import all_files, find_by_name, find_local
from patchfield.backbones.micro.network import MicroSpec
from patchfield.backbones.published import EMBEDDED, MICRO, PUBLISHED, RECOMMENDED, SHORTLIST
from patchfield.backbones.spec import ViTSpec
from patchfield.backbones.weights import TIMM_PREFIX, Embedded, Hub, Trained, Weight
from patchfield.errors import BackboneError

_BY_NAME = {weight.name: weight for weight in (*EMBEDDED, *PUBLISHED)}


def models() -> list[Weight]:
    """All backbones that :func:`patchfield.load_backbone` knows by name.

    The embedded network and filters first, then what training exported into the folder of weights, then the
    published ones.

    Examples
    --------
    >>> [weight.name for weight in models()[:2]]
    ['micro', 'filters']
    """
    return [*EMBEDDED, *_trained(), *PUBLISHED]


def shortlist() -> list[Weight]:
    """The backbones to choose from first: those that are here, then the few that are worth a download.

    Examples
    --------
    >>> [weight.name for weight in shortlist()][:2]
    ['micro', 'filters']
    """
    return [weight for weight in models() if is_here(weight) or weight.name in SHORTLIST]


def find_weight(name: str) -> Weight | None:
    """The embedded or published weight of that name, or None.

    Examples
    --------
    >>> find_weight("dinov2-small").channels
    384
    """
    return _BY_NAME.get(name)


def is_known(name: str) -> bool:
    """Whether a name is that of an embedded or published weight, or of a file in the folder of weights.

    Examples
    --------
    >>> is_known("micro"), is_known("mikro")
    (True, False)
    """
    return name in _BY_NAME or find_by_name(name) is not None


def default_backbone() -> str:
    """The backbone to begin with: the recommended transformer where its weights are here, else the embedded network.

    Examples
    --------
    >>> default_backbone() in ("micro", "neco-small")
    True
    """
    return RECOMMENDED if is_here(_BY_NAME[RECOMMENDED]) else MICRO.name


def is_here(weight: Weight) -> bool:
    """Whether a backbone can be loaded without a network."""
    return isinstance(weight.origin, Embedded) or find_local(weight) is not None


def download_size(weight: Weight) -> str:
    """How much there is to download, for people; empty for what is not downloaded.

    Examples
    --------
    >>> download_size(find_weight("dinov2-giant")), download_size(find_weight("micro"))
    ('4.5 GB', '')
    """
    return size_text(weight.origin.size) if isinstance(weight.origin, Hub) else ""


def availability(weight: Weight) -> str:
    """Where a backbone is: ``embedded``, ``trained here``, ``downloaded``, or ``88 MB download``.

    Examples
    --------
    >>> availability(find_weight("micro"))
    'embedded'
    """
    match weight.origin:
        case Embedded():
            return "embedded"
        case Trained():
            return "trained here"
        case Hub():
            return "downloaded" if is_here(weight) else f"{download_size(weight)} download"


def size_text(size: int) -> str:
    """A number of bytes for people.

    Examples
    --------
    >>> size_text(88_240_544), size_text(4_545_971_248)
    ('88 MB', '4.5 GB')
    """
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def unknown_name(name: str) -> BackboneError:
    """The error for a name that is neither a backbone's nor a file's, with the names closest to it."""
    known = [weight.name for weight in models()]
    close = get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(close)}?"
        if close
        else f"known names are {', '.join(known)}; models of timm are called {TIMM_PREFIX}NAME."
    )
    return BackboneError(f"There is no backbone and no file called '{name}': {hint}")


def _trained() -> Iterator[Weight]:
    """What training wrote into the folder of weights."""
    for path in all_files():
        if path.suffix == ".safetensors" and path.stem not in _BY_NAME:
            try:
                header = read_header(path)
                if header is not None:
                    yield _from_header(path, header)
            except BackboneError:  # said when it is loaded; a list is no place for it
                continue


def _from_header(path: Path, header: Header) -> Weight:
    """The entry of a file of ours."""
    kinds: dict[Kind, type[ViTSpec | MicroSpec]] = {"vit": ViTSpec, "micro": MicroSpec}
    spec = kinds[header.kind].from_json(header.spec)
    return Weight(
        name=path.stem,
        summary=str(header.details.get("summary", "Trained on this machine")),
        family=header.kind,
        origin=Trained(path, path.stat().st_size),
        licence=str(header.details.get("licence", "yours")),
        paper="",
        architecture=spec.summary(),
        parameters=header.parameters,
        channels=spec.channels,
        spec=spec if isinstance(spec, ViTSpec) else None,
    )
