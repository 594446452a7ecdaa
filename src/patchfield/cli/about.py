"""What is installed, what it runs on, and where downloads are kept."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

import patchfield
from patchfield.backbones import Hub, download_size, is_here, models, weights_folder
from patchfield.backbones.local import hub_cache
from patchfield.store import recovery_folder

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-image", "tifffile", "napari", "PyQt6", "xformers")


def installation() -> dict[str, str]:
    """Versions, devices and folders, by what they are."""
    facts = {
        "patchfield": patchfield.__version__,
        "Python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    facts |= {package: _version(package) for package in PACKAGES}
    facts["devices"] = ", ".join(_devices())
    facts["threads"] = str(torch.get_num_threads())
    facts["weights"] = str(weights_folder())
    facts["the hub's cache"] = hub_cache()
    facts["unsaved projects"] = str(recovery_folder())
    return facts


def weight_rows() -> list[list[str]]:
    """Name, purpose, size, licence and presence of every backbone, as text."""
    return [
        [weight.name, weight.summary, download_size(weight), weight.licence, "yes" if is_here(weight) else ""]
        for weight in models()
    ]


def weight_links() -> list[list[str]]:
    """Name and address of every backbone that is downloaded, for machines without a network."""
    return [[weight.name, weight.origin.page()] for weight in models() if isinstance(weight.origin, Hub)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    devices = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]
