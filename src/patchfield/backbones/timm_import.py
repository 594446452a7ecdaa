"""timm, imported late, and so that a program that already shows a window survives it.

timm imports torchvision, which imports PyTorch's compiler, which imports Triton where that is installed. Triton's
library carries an LLVM of its own whose symbols are visible, and Mesa's software renderer (virtual machines, remote
desktops, some graphics cards) has loaded another LLVM for the whole process once a window has drawn anything. Triton's
references are then resolved to Mesa's functions, and the process ends with a segmentation fault. Neither can be loaded
first by us: napari's window is open before anybody asks for the plugin. So Triton's library is loaded here, before
timm, with its references bound to itself (``RTLD_DEEPBIND`` of dlopen(3)); who imports Triton later finds it loaded.

``micro`` and ``filters`` need neither of the three, and do not import them.
"""

import os
import sys
from contextlib import suppress
from functools import cache
from types import ModuleType


@cache
def import_timm() -> ModuleType:
    """The package timm, with ``timm.layers`` and ``timm.models`` loaded.

    Examples
    --------
    >>> import_timm().models.VisionTransformer.__name__
    'VisionTransformer'
    """
    _load_triton()
    import timm

    return timm


def _load_triton() -> None:
    """Load Triton with its own symbols first; nothing where it is absent or loaded, or the system has no such mode."""
    if "triton" in sys.modules or not hasattr(os, "RTLD_DEEPBIND"):
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        with suppress(ImportError):
            import triton  # noqa: F401
    finally:
        sys.setdlopenflags(flags)
