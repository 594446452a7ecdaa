"""What is installed, what it runs on, and where downloads are kept."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

import patchfield
from patchfield.backbones import Hub, download_size, is_here, models, shortlist, weights_folder
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


def weight_rows(every: bool = False) -> list[list[str]]:
    """Name, purpose, size, licence and presence of the backbones to choose from first, or of all, as text."""
    return [
        [weight.name, weight.summary, download_size(weight), weight.licence, "yes" if is_here(weight) else ""]
        for weight in (models() if every else shortlist())
    ]


def weight_terms(every: bool = False) -> list[str]:
    """What licences of the same backbones forbid, one line for each licence."""
    listed = models() if every else shortlist()
    return list(dict.fromkeys(f"{weight.licence}: {weight.terms}." for weight in listed if weight.terms))


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
