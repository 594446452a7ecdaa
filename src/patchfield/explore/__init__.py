"""What can be seen in a field without labels: its main components, clusters, what looks alike, attention."""

from patchfield.explore.attention import attention_field
from patchfield.explore.clusters import Clusters
from patchfield.explore.foreground import Foreground
from patchfield.explore.merging import MergeTree, attention_cutoff, cluster_densities
from patchfield.explore.pca import PrincipalComponents
from patchfield.explore.pooling import pooled
from patchfield.explore.similarity import Place, Similarity, similar_places
from patchfield.explore.strokes import confident_strokes

__all__ = [
    "Clusters",
    "Foreground",
    "MergeTree",
    "Place",
    "PrincipalComponents",
    "Similarity",
    "attention_cutoff",
    "attention_field",
    "cluster_densities",
    "confident_strokes",
    "pooled",
    "similar_places",
]
