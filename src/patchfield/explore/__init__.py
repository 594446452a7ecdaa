"""What can be seen in a field without labels: its main components, clusters, what looks alike, attention."""

from patchfield.explore.attention import attention_field
from patchfield.explore.clusters import Clusters
from patchfield.explore.foreground import Foreground
from patchfield.explore.pca import PrincipalComponents
from patchfield.explore.similarity import Similarity

__all__ = ["Clusters", "Foreground", "PrincipalComponents", "Similarity", "attention_field"]
