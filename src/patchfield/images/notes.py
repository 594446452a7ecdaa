"""What Patchfield writes into its own files beside the pixels: calibration, names and colours of classes, provenance.

One line of JSON: the value ``patchfield`` of an ImageJ or tifffile description, or of a text chunk of a PNG.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from patchfield.images.calibration import Calibration
from patchfield.images.colors import LabelClass, NamedColor

KEY = "patchfield"
SOFTWARE = "Patchfield"


@dataclass(frozen=True)
class Notes:
    """What a file of ours says about itself.

    Attributes
    ----------
    calibration : Calibration or None
    classes : mapping of label value to NamedColor
    provenance : mapping of str to str
        What a result was made of.
    """

    calibration: Calibration | None = None
    classes: Mapping[int, NamedColor] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """One line of ASCII without an equals sign, as ImageJ's descriptions need it.

        Examples
        --------
        >>> Notes.from_text(Notes(provenance={"probe": "a=b"}).to_text()).provenance
        {'probe': 'a=b'}
        """
        document: dict[str, Any] = {}
        if self.calibration is not None:
            known = self.calibration
            document["calibration"] = [known.height, known.width, known.unit, known.depth, known.interval]
        if self.classes:
            document["classes"] = {str(value): [known.name, known.color] for value, known in self.classes.items()}
        if self.provenance:
            document["provenance"] = dict(self.provenance)
        return json.dumps(document, ensure_ascii=True).replace("=", "\\u003d")

    @classmethod
    def from_text(cls, text: str) -> "Notes":
        """What `to_text` wrote; what is not understood is left out."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(document, dict):
            return cls()
        provenance = document.get("provenance")
        return cls(
            _calibration(document.get("calibration")),
            _classes(document.get("classes")),
            {str(key): str(value) for key, value in provenance.items()} if isinstance(provenance, dict) else {},
        )


def _calibration(document: Any) -> Calibration | None:
    if not isinstance(document, list) or len(document) != 5:
        return None
    height, width, unit, depth, interval = document
    return Calibration.from_metadata(height, width, unit, depth=depth, interval=interval)


def _classes(document: Any) -> dict[int, LabelClass]:
    if not isinstance(document, dict):
        return {}
    return {
        int(value): LabelClass(str(entry[0]), str(entry[1]))
        for value, entry in document.items()
        if value.isdecimal()
        and isinstance(entry, list)
        and len(entry) == 2
        and re.fullmatch("#[0-9a-fA-F]{6}", str(entry[1]))
    }
