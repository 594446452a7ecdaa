"""What TIFF files say about the size of their pixels: OME, ImageJ, FEI and Zeiss metadata, then the baseline tags."""

from typing import Any
from xml.etree import ElementTree

import tifffile

from patchfield.images.calibration import Calibration

_TIFF_UNITS = {2: "inch", 3: "cm"}


def tiff_calibration(file: tifffile.TiffFile) -> Calibration | None:
    """The calibration of an open TIFF file, from the first of its metadata that has one."""
    for read in (_ome, _imagej, _fei, _zeiss, _baseline):
        calibration = read(file)
        if calibration is not None:
            return calibration
    return None


def ome_images(file: tifffile.TiffFile) -> list[ElementTree.Element]:
    """The Image elements of a file's OME-XML; none where there is no or no readable XML."""
    if not file.is_ome or not file.ome_metadata:
        return []
    try:
        root = ElementTree.fromstring(file.ome_metadata)
    except ElementTree.ParseError:
        return []
    return [element for element in root if _local(element) == "Image"]


def pixels_of(image: ElementTree.Element) -> ElementTree.Element | None:
    """The Pixels element of an OME Image."""
    return next((element for element in image if _local(element) == "Pixels"), None)


def _ome(file: tifffile.TiffFile) -> Calibration | None:
    pixels = next(iter(map(pixels_of, ome_images(file))), None)
    if pixels is None:
        return None
    attributes = pixels.attrib
    return Calibration.from_metadata(
        attributes.get("PhysicalSizeY"),
        attributes.get("PhysicalSizeX"),
        attributes.get("PhysicalSizeYUnit", "µm"),
        width_unit=attributes.get("PhysicalSizeXUnit", "µm"),
        depth=attributes.get("PhysicalSizeZ"),
        depth_unit=attributes.get("PhysicalSizeZUnit", "µm"),
        interval=attributes.get("TimeIncrement"),
        interval_unit=attributes.get("TimeIncrementUnit", "s"),
    )


def _imagej(file: tifffile.TiffFile) -> Calibration | None:
    metadata: dict[str, Any] = file.imagej_metadata or {}
    unit = metadata.get("unit")
    interval = metadata.get("finterval")
    if interval is None and isinstance(metadata.get("fps"), (int, float)) and metadata["fps"] > 0:
        interval = 1 / metadata["fps"]
    calibration = _per_pixel(file, metadata.get("yunit", unit), unit)
    if calibration is None:
        return None
    return Calibration.from_metadata(
        calibration.height,
        calibration.width,
        calibration.unit,
        depth=metadata.get("spacing"),
        depth_unit=metadata.get("zunit", unit),
        interval=interval,
        interval_unit=metadata.get("tunit", "s"),
    )


def _fei(file: tifffile.TiffFile) -> Calibration | None:
    metadata = file.fei_metadata
    scan = metadata.get("Scan") if isinstance(metadata, dict) else None
    if not isinstance(scan, dict):
        return None
    return Calibration.from_metadata(scan.get("PixelHeight"), scan.get("PixelWidth"), "m")


def _zeiss(file: tifffile.TiffFile) -> Calibration | None:
    metadata = file.sem_metadata
    if not isinstance(metadata, dict):
        return None
    entry = metadata.get("ap_image_pixel_size") or metadata.get("ap_pixel_size")
    return (
        Calibration.from_metadata(entry[1], entry[1], entry[2])
        if isinstance(entry, tuple) and len(entry) == 3
        else None
    )


def _baseline(file: tifffile.TiffFile) -> Calibration | None:
    tag = file.pages.first.tags.get("ResolutionUnit")
    unit = _TIFF_UNITS.get(int(tag.value)) if tag is not None and isinstance(tag.value, int) else None
    return _per_pixel(file, unit, unit)


def _per_pixel(file: tifffile.TiffFile, unit: str | None, width_unit: str | None) -> Calibration | None:
    """From the resolution tags, which count pixels per unit as a fraction."""
    tags = file.pages.first.tags
    rows, columns = (_inverse(tags.get(name)) for name in ("YResolution", "XResolution"))
    return Calibration.from_metadata(rows, columns, unit, width_unit=width_unit)


def _inverse(tag: Any) -> float | None:
    value = None if tag is None else tag.value
    if not isinstance(value, tuple) or len(value) != 2 or 0 in value:
        return None
    return float(value[1]) / float(value[0])


def _local(element: ElementTree.Element) -> str:
    """The name of an XML element without its name space."""
    return str(element.tag).rpartition("}")[2]
