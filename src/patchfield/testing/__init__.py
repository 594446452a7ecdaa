"""For the tests of others, and ours: backbones with known features, and a suite that every backbone must pass.

:class:`BackboneTests` needs pytest; :mod:`patchfield.testing.backbones` needs nothing beyond Patchfield itself.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patchfield.testing.conformance import BackboneTests

__all__ = ["BackboneTests"]


def __getattr__(name: str) -> object:
    if name == "BackboneTests":
        from patchfield.testing.conformance import BackboneTests

        return BackboneTests
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
