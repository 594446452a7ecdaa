"""Objects of a class: class map -> clean map -> instances -> table.

The package can be called, ``patchfield.objects(segmentation, value, ...)``: a package and a function of one name would
hide each other, depending on what was imported first, so they are one. `find_objects` is the function.
"""

import sys
from types import ModuleType

from patchfield.objects.cleaning import Cleaning, clean
from patchfield.objects.distribution import SizeDistribution, class_fractions, size_distribution
from patchfield.objects.figures import fraction_figure, require_matplotlib, size_figure
from patchfield.objects.find import class_value, find_objects
from patchfield.objects.instances import DEFAULT_NECK, at_border, check_neck, connected_objects, keep_objects
from patchfield.objects.measure import measure
from patchfield.objects.perimeter import perimeters
from patchfield.objects.table import ObjectTable

__all__ = [
    "DEFAULT_NECK",
    "Cleaning",
    "ObjectTable",
    "SizeDistribution",
    "at_border",
    "check_neck",
    "class_fractions",
    "class_value",
    "clean",
    "connected_objects",
    "find_objects",
    "fraction_figure",
    "keep_objects",
    "measure",
    "perimeters",
    "require_matplotlib",
    "size_distribution",
    "size_figure",
]


class _CallablePackage(ModuleType):
    """A module whose call is that of `find_objects`."""

    __call__ = staticmethod(find_objects)


sys.modules[__name__].__class__ = _CallablePackage
