"""Segmentation without labels of many files: clusters that all share, merged into a few groups."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from patchfield.backbones import ViT
from patchfield.batch.areas import AreaTable, class_areas
from patchfield.batch.failures import Failures
from patchfield.batch.job import Job, Outcome, Results, Watch
from patchfield.batch.results import Provenance, ResultFolder
from patchfield.batch.together import Together
from patchfield.errors import BackboneError
from patchfield.explore import Clusters, MergeTree, attention_cutoff, attention_field, cluster_densities
from patchfield.images import PlaneIndex, write_labels
from patchfield.images.colors import LabelClass, default_color
from patchfield.pipeline import Extractor

TABLE = "groups.csv"

Rule = Literal["jump", "attention"]


@dataclass(frozen=True)
class Grouping:
    """How images are grouped.

    Attributes
    ----------
    groups : int or None
        How many; None lets the rule decide.
    rule : {"jump", "attention"}
        The largest relative jump in the merge tree (Ward); or HR-Dv2's cut-off from the distances of clusters that a
        transformer attends to from those that it does not (complete linkage).
    clusters : int
        How many there are before merging.
    side : float
        Pixels over which features are pooled, 0 for none.
    """

    groups: int | None = None
    rule: Rule = "jump"
    clusters: int = 80
    side: float = 16


def group_images(job: Job, grouping: Grouping, extractor: Extractor, watch: Watch) -> Results:
    """Write NAME_groups for every file, values from 1, the largest group first, and what each covers in a table.

    Raises
    ------
    OutputError
        When results would replace what they must not.
    FieldError
        When no file can be used, or there are fewer pixels than clusters.
    BackboneError
        When attention is to decide and the backbone has none.
    """
    if grouping.rule == "attention" and grouping.groups is None:
        _transformer(extractor)
    folder = ResultFolder(job.output, job.images, job.overwrite)
    results = Results(Failures(job.output), names=folder.names(job.images, f"_groups.{job.suffix}"))
    together = Together(job, extractor, watch, results, grouping.side)
    made_with = {
        "features": hashlib.sha256(repr(extractor.recipes).encode()).hexdigest()[:16],
        "grouping": repr(grouping),
        "with": together.identity,
        **job.made_with,
    }
    todo = []
    for file in together.opened:
        with results.failures.caught(file):
            path = job.output / f"{results.names[file]}_groups.{job.suffix}"
            if folder.is_done(file, [path], folder.provenance(file, made_with)):
                results.note(file, Outcome.EARLIER)
            else:
                todo.append((file, path))
    if todo:
        clusters = Clusters.from_features(together.sampled(), grouping.clusters)
        lookup, classes = _merged(clusters, grouping, together, extractor)
        writing = _Writing(together, clusters, lookup, classes, AreaTable(job.output / TABLE))
        for file, path in todo:
            if file in together.opened:
                with results.failures.caught(file):
                    writing.write(file, path, folder.provenance(file, made_with))
                    results.note(file, Outcome.FINISHED)
    return results


def _merged(
    clusters: Clusters, grouping: Grouping, together: Together, extractor: Extractor
) -> tuple[NDArray[np.int64], dict[int, LabelClass]]:
    """The group of each cluster number, 0 for 0, and the groups' names and colours."""
    densities = None
    if grouping.rule == "attention":
        densities = _densities(clusters, together, extractor)
        tree = MergeTree.from_clusters(clusters, "complete")
        count = grouping.groups or tree.count_at(attention_cutoff(clusters.centres, densities))
    else:
        tree = MergeTree.from_clusters(clusters)
        count = grouping.groups or tree.natural
    groups = tree.groups(count)
    names = {int(group): f"group {group}" for group in np.unique(groups)}
    if densities is not None:
        of_groups = {group: float(np.average(densities[groups == group])) for group in names}
        mean = float(np.mean(list(of_groups.values())))
        names = {g: f"{name}{' (foreground)' if of_groups[g] > mean else ''}" for g, name in names.items()}
    classes = {group: LabelClass(name, default_color(group)) for group, name in names.items()}
    return np.append(0, groups), classes


def _densities(clusters: Clusters, together: Together, extractor: Extractor) -> NDArray[np.float64]:
    """Mean attention of each cluster over all planes."""
    transformer = _transformer(extractor)
    count = len(clusters.bias)
    total, pixels = np.zeros(count), np.zeros(count)
    for file, image in together.opened.items():
        for index in together.job.planes(image):
            field = together.field(file, index)
            labels = clusters.assign(field)
            maps = attention_field(image, field, transformer, index)
            mean = np.full((maps.channels, 1), 1 / maps.channels, np.float32)
            here = np.bincount(labels.ravel(), minlength=count + 1)[1:]
            total += cluster_densities(labels, maps.project(mean)[0], count) * here
            pixels += here
    found: NDArray[np.float64] = total / np.maximum(pixels, 1)
    return found


def _transformer(extractor: Extractor) -> ViT:
    first = extractor.backbones[0]
    if not isinstance(first, ViT):
        raise BackboneError(
            f"'{first.name}' has no attention: choose a vision transformer, or let the merge tree decide (--rule jump)."
        )
    return first


@dataclass(frozen=True)
class _Writing:
    together: Together
    clusters: Clusters
    lookup: NDArray[np.int64]
    classes: Mapping[int, LabelClass]
    table: AreaTable

    def write(self, file: Path, path: Path, provenance: Provenance) -> None:
        together, image = self.together, self.together.opened[file]
        name, names = together.results.names[file], {value: entry.name for value, entry in self.classes.items()}
        planes, areas = [], []
        for index in together.job.planes(image):
            planes.append(self._groups(file, index))
            areas += class_areas(name, file, index, planes[-1], names, image.calibration)
        axes, lengths = together.job.axes_of_result(image)
        whole = np.stack(planes).reshape(*lengths, *planes[0].shape)
        write_labels(path, whole, image.calibration, axes, classes=self.classes, provenance=provenance)
        self.table.replace(name, areas)

    def _groups(self, file: Path, index: PlaneIndex) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.lookup[self.clusters.assign(self.together.field(file, index))]
        return found
