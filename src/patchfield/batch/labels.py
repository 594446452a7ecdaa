"""The labelled planes of image files, from label files."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from patchfield.batch.job import Job
from patchfield.images import Stack, labels_of_planes, read_label_stack
from patchfield.probe import ClassInfo
from patchfield.probe.planes import LabelledPlane


@dataclass
class LabelFiles:
    """Label files of one training: the same name of a class is the same number in all of them.

    Attributes
    ----------
    classes : dict of int to ClassInfo
        Names and colours of classes, where the files say them; the first file that names a class counts.
    """

    classes: dict[int, ClassInfo] = field(default_factory=dict)
    _values_by_name: MutableMapping[str, int] = field(default_factory=dict)

    def read(self, job: Job, stack: Stack, label_file: Path) -> list[LabelledPlane]:
        """The planes of an image that something is painted on, among those that are used.

        Raises
        ------
        LabelError
            When the labels do not fit the image, or are no labels of classes.
        """
        labels = read_label_stack(label_file, stack, self._values_by_name)
        only = None if job.plane is None else job.planes(stack)[0]
        planes = labels_of_planes(labels, stack, only)
        for value, known in labels.classes.items():
            self.classes.setdefault(value, ClassInfo(known.name, known.color))
        return [LabelledPlane(stack, index, painted) for index, painted in planes.items() if painted.any()]
