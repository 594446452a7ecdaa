"""The published evaluation protocols under their own names, so that published tables can be repeated."""

from patchfield.evaluate.published.datasets import BENCHMARKS, Benchmark, read_benchmark
from patchfield.evaluate.published.dense_retrieval import DenseRetrieval
from patchfield.evaluate.published.linear_segmentation import LinearSegmentation
from patchfield.evaluate.published.overclustering import Overclustering
from patchfield.evaluate.published.unlabelled import ForegroundSegmentation, Localisation

Protocol = LinearSegmentation | Overclustering | DenseRetrieval | ForegroundSegmentation | Localisation

PROTOCOLS: dict[str, type[Protocol]] = {
    protocol.name: protocol
    for protocol in (LinearSegmentation, Overclustering, DenseRetrieval, ForegroundSegmentation, Localisation)
}
"""The protocols by name."""

__all__ = [
    "BENCHMARKS",
    "PROTOCOLS",
    "Benchmark",
    "DenseRetrieval",
    "ForegroundSegmentation",
    "LinearSegmentation",
    "Localisation",
    "Overclustering",
    "Protocol",
    "read_benchmark",
]
