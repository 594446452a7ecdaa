"""What training needs beyond the package itself: the extra `training`, stated for whoever starts a run."""

from importlib.util import find_spec

NEEDED = {
    "lightning-fabric": "lightning_fabric",
    "jsonargparse": "jsonargparse",
    "pyyaml": "yaml",
    "tensorboard": "tensorboard",
    "matplotlib": "matplotlib",
}
"""Distributions of the extra, with the name that each is imported by."""

INSTALL = "pip install 'napari-patchfield[training]'"


def missing() -> list[str]:
    """The distributions of the extra that are not installed."""
    return [distribution for distribution, module in NEEDED.items() if find_spec(module) is None]
