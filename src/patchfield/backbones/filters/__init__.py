"""The embedded backbone: a multi-scale filter bank that needs no weights."""

from patchfield.backbones.filters.bank import FilterBank

__all__ = ["FilterBank"]
