"""What a probe goes by: how much worse unseen strokes are predicted without a group of features.

Weights alone do not say it: features resemble each other, and what one group loses another may still know. So the probe
is fitted again without each group, from the weights that the others have, and the agreement of whole strokes compared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from patchfield.backbones import Backbone
from patchfield.errors import ProbeError
from patchfield.probe.labels import Integers
from patchfield.probe.linear import LinearProbe
from patchfield.probe.material import LabelledField
from patchfield.probe.solver import LinearMap
from patchfield.probe.training_image import TrainingImage
from patchfield.probe.validation import Evidence


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Channels of a field that belong together.

    Attributes
    ----------
    name : str
    channels : (n,) int64 array
        Their positions among the channels of the field.
    """

    name: str
    channels: Integers


@dataclass(frozen=True)
class Importance:
    """What a group of features is worth to a probe.

    Attributes
    ----------
    group : str
    loss : float
        By how much the agreement with held-out strokes falls without it (balanced accuracy, 0 to 1); about 0, or
        less, for what others know as well.
    """

    group: str
    loss: float


@runtime_checkable
class _Named(Protocol):
    """A backbone whose channels have families."""

    @property
    def channel_families(self) -> tuple[str, ...]: ...


def channel_groups(backbones: Sequence[Backbone]) -> tuple[ChannelGroup, ...]:
    """Groups of the channels of some joined backbones: by backbone, by the pitch of its levels, and by family.

    A backbone of a single level whose channels have no names, such as `micro` or a transformer, is one group; alone,
    it has none, since nothing would be left without it.

    Parameters
    ----------
    backbones : sequence of Backbone
        As :attr:`patchfield.Extractor.backbones` has them.

    Examples
    --------
    >>> import patchfield as pf
    >>> [group.name for group in channel_groups([pf.load_backbone("filters")])][:5]
    ['pitch 1 px', 'pitch 2 px', 'pitch 4 px', 'pitch 8 px', 'colour']
    >>> [group.name for group in channel_groups([pf.load_backbone("micro")])]
    []
    """
    groups: list[ChannelGroup] = []
    first = 0
    for backbone in backbones:
        prefix = f"{backbone.name}: " if len(backbones) > 1 else ""
        if len(backbones) > 1:
            groups.append(ChannelGroup(backbone.name, np.arange(first, first + backbone.channels)))
        if len(backbone.levels) > 1:
            pitches = [f"pitch {level.pitch} px" for level in backbone.levels for _ in range(level.channels)]
            groups += _groups(pitches, prefix, first, dict.fromkeys(pitches))
        if isinstance(backbone, _Named):
            families = backbone.channel_families
            groups += _groups(families, prefix, first, sorted(set(families)))
        first += backbone.channels
    return tuple(groups)


def group_importance(
    pairs: Sequence[LabelledField],
    groups: Sequence[ChannelGroup],
    probe: LinearProbe | None = None,
    images: Sequence[TrainingImage] = (),
) -> tuple[Importance, ...] | None:
    """What each group of features is worth, the most important first.

    Parameters
    ----------
    pairs : sequence of (FeatureField, (H, W) array)
        As for :meth:`LinearProbe.fit`; may be empty for a probe that keeps samples.
    groups : sequence of ChannelGroup
        As :func:`channel_groups` finds them, or any others.
    probe : LinearProbe, optional
        Whose settings are used, and whose kept strokes count, too. It is not changed.
    images : sequence of TrainingImage, optional
        As for :meth:`LinearProbe.fit`.

    Returns
    -------
    tuple of Importance, or None
        None until there are two classes and each has three strokes.

    Raises
    ------
    LabelError
        When labels do not fit their image.
    ProbeError
        When a group has channels that the features lack, or all of them.

    Examples
    --------
    >>> import patchfield as pf
    >>> image, labels = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    >>> image[:, 32:] = 200
    >>> labels[[10, 30, 50], 4:20], labels[[10, 30, 50], 44:60] = 1, 2
    >>> filters = pf.load_backbone("filters")
    >>> found = group_importance([(pf.extract(image, filters), labels)], channel_groups([filters]))
    >>> max(entry.loss for entry in found)                  # tones, intensities: each suffices
    0.0
    """
    found: list[Importance] = []
    for entry in importance_steps(pairs, groups, probe, images):
        if entry is None:
            return None
        found.append(entry)
    return tuple(sorted(found, key=lambda entry: -entry.loss))


def importance_steps(
    pairs: Sequence[LabelledField],
    groups: Sequence[ChannelGroup],
    probe: LinearProbe | None = None,
    images: Sequence[TrainingImage] = (),
) -> Iterator[Importance | None]:
    """As :func:`group_importance`, group by group as they are given, so that it can be given up between two.

    Yields
    ------
    Importance or None
        A single None until there are two classes and each has three strokes.
    """
    probe = probe or LinearProbe()
    evidence = Evidence.from_strokes(pairs, probe, images)
    if evidence is None:
        yield None
        return
    fits = evidence.fits(probe.l2)
    whole = float(np.mean(evidence.shares_right(evidence.predictions(fits))))
    for group in groups:
        rest = _rest(group, evidence.features.shape[1])
        without = replace(evidence, features=np.ascontiguousarray(evidence.features[:, rest]))
        refitted = without.fits(probe.l2, [LinearMap(scores.weights[rest], scores.bias) for scores in fits])
        yield Importance(group.name, whole - float(np.mean(without.shares_right(without.predictions(refitted)))))


def _groups(names: Sequence[str], prefix: str, first: int, order: Iterable[str]) -> list[ChannelGroup]:
    """A group for each name, of all channels that have it."""
    everything = np.array(names)
    return [ChannelGroup(f"{prefix}{name}", np.flatnonzero(everything == name) + first) for name in order]


def _rest(group: ChannelGroup, count: int) -> NDArray[np.bool_]:
    """All channels but those of a group."""
    if len(group.channels) and (group.channels.min() < 0 or group.channels.max() >= count):
        raise ProbeError(f"The group '{group.name}' has channels that the {count} channels of the features lack.")
    rest = np.ones(count, bool)
    rest[group.channels] = False
    if not rest.any():
        raise ProbeError(f"Without the group '{group.name}' no features are left: give smaller groups.")
    return rest
