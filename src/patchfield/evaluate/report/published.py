"""A row of a published table for each of some backbones."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from patchfield.atomic import atomic_path
from patchfield.backbones.base import Backbone
from patchfield.errors import LabelError
from patchfield.evaluate.published import Protocol
from patchfield.evaluate.published.crops import Track, silently
from patchfield.evaluate.published.datasets import Benchmark
from patchfield.evaluate.published.dense_retrieval import DenseRetrievalResult
from patchfield.evaluate.published.linear_segmentation import LinearSegmentationResult
from patchfield.evaluate.published.overclustering import OverclusteringResult
from patchfield.evaluate.published.unlabelled import ForegroundResult, LocalisationResult
from patchfield.evaluate.report.tables import markdown_table

Result = LinearSegmentationResult | OverclusteringResult | DenseRetrievalResult | ForegroundResult | LocalisationResult


@dataclass(frozen=True)
class PublishedTable:
    """What a protocol found on a benchmark.

    Attributes
    ----------
    protocol : Protocol
        With its settings.
    benchmark : str
    fingerprints : dict of str to str
        Of each backbone, by its name in the table.
    results : dict of str to result
        Of each backbone.
    """

    protocol: Protocol
    benchmark: str
    fingerprints: dict[str, str]
    results: dict[str, Result]

    def table(self) -> str:
        """The figures in Markdown, a row for each backbone."""
        figures = {name: result.figures() for name, result in self.results.items()}
        columns = list(dict.fromkeys(column for row in figures.values() for column in row))
        rows = [(name, *(_shown(row[column]) for column in columns)) for name, row in figures.items()]
        return f"# {self.protocol.name} on {self.benchmark}\n\n{markdown_table(('backbone', *columns), rows)}\n"

    def to_json(self) -> dict[str, Any]:
        """Plain values: the settings, and everything that was found of each backbone."""
        found = {
            name: {"fingerprint": self.fingerprints[name], **asdict(result)} for name, result in self.results.items()
        }
        return {
            "protocol": self.protocol.name,
            "benchmark": self.benchmark,
            "recipe": asdict(self.protocol),
            "backbones": found,
        }

    def write(self, folder: str | Path) -> Path:
        """Write ``PROTOCOL_BENCHMARK.json`` into a folder; returns its path."""
        path = Path(folder) / f"{self.protocol.name}_{self.benchmark}.json"
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=1), encoding="utf-8")
        return path


def repeat_table(
    protocol: Protocol,
    backbones: Mapping[str, Backbone],
    benchmark: Benchmark,
    workers: int = 0,
    track: Track = silently,
) -> PublishedTable:
    """Apply a published protocol to some backbones.

    Parameters
    ----------
    protocol : Protocol
        With its settings.
    backbones : mapping of str to Backbone
        Plain vision transformers in float32, by their names in the table.
    benchmark : Benchmark
        Of :func:`read_benchmark`.
    workers : int
        Processes that decode images.
    track : callable
        Shows progress, as :func:`rich.progress.track` does.

    Raises
    ------
    BackboneError
        A backbone's tokens are no single grid of patches.
    LabelError
        The benchmark holds something else than the protocol scores.
    """
    if protocol.needs != benchmark.holds:
        raise LabelError(
            f"'{protocol.name}' needs {protocol.needs} and '{benchmark.name}' holds {benchmark.holds}: "
            "docs/evaluation.md says which benchmark is for which protocol."
        )
    results: dict[str, Result] = {
        name: protocol(backbone, benchmark, workers, track) for name, backbone in backbones.items()
    }
    fingerprints = {name: backbone.fingerprint for name, backbone in backbones.items()}
    return PublishedTable(protocol, benchmark.name, fingerprints, results)


def _shown(figure: float) -> str:
    return str(figure) if isinstance(figure, int) else f"{figure:.4f}"
