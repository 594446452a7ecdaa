"""The published evaluation protocols under their own names, so that published tables can be repeated."""

from patchfield.evaluate.published.datasets import BENCHMARKS, Benchmark, read_benchmark
from patchfield.evaluate.published.dense_retrieval import DenseRetrievalProtocol
from patchfield.evaluate.published.linear_segmentation import LinearSegmentation
from patchfield.evaluate.published.overclustering import Overclustering

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "DenseRetrievalProtocol",
    "LinearSegmentation",
    "Overclustering",
    "read_benchmark",
]
