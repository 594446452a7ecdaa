"""Transformers as files that the app can load."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from patchfield.backbones import Transformer, export_checkpoint
from patchfield.runs.names import STUDENT_SUFFIX

TEACHER, STUDENT = "teacher.safetensors", "student.safetensors"


@dataclass(frozen=True)
class ExportedTransformer:
    """A trained transformer, see :class:`training.engine.objective.ExportedNetwork`."""

    backbone: Transformer
    summary: str
    file: str = TEACHER
    suffix: str = ""

    def tensors(self) -> Mapping[str, Tensor]:
        """The weights, under timm's names."""
        return self.backbone.vit.state_dict()

    def write(self, path: Path, details: Mapping[str, Any]) -> None:
        """Write a file that :func:`patchfield.load_backbone` reads."""
        export_checkpoint(path, self.tensors(), self.backbone.spec, details)


def teacher_and_student(teacher: Transformer, student: Transformer, init: str | None) -> list[ExportedTransformer]:
    """Both networks of a run that began with `init`, or random weights; the teacher is the one to use as a rule."""
    summary = (
        "Trained on your images from random weights" if init is None else f"Post-trained on your images from {init}"
    )
    return [
        ExportedTransformer(teacher, summary),
        ExportedTransformer(student, f"{summary}, student", STUDENT, STUDENT_SUFFIX),
    ]
