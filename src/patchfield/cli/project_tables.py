"""What a project holds, as text."""

from math import prod

from patchfield.probe import ClassInfo
from patchfield.store import Project


def project_facts(project: Project) -> dict[str, str]:
    """Folder, features, probe and what is painted, by what they are."""
    planes = len(project.labels)
    return {
        "project": str(project.path),
        "features": " | ".join(f"{recipe.backbone}, {recipe.sampling}" for recipe in project.recipes) or "none",
        "probe": "none yet" if project.probe is None else f"{len(project.probe.classes)} classes",
        "painted": f"{planes} planes, {sum(project.labels.pixels().values())} pixels",
    }


def image_rows(project: Project) -> list[list[str]]:
    """Name, planes, painted planes, strokes and file of every image; a file that is missing or changed says so."""
    missing, changed = {image.id for image in project.missing}, {image.id for image in project.changed}
    rows: list[list[str]] = []
    for image in project.images:
        state = "missing: " if image.id in missing else "changed: " if image.id in changed else ""
        painted, strokes = len(project.labels.planes(image)), project.labels.strokes(image)
        rows.append([image.name, str(prod(image.lengths)), str(painted), str(strokes), f"{state}{image.path}"])
    return rows


def class_rows(project: Project) -> list[list[str]]:
    """Value, name, colour and painted pixels of every class."""
    pixels = project.labels.pixels()
    known = {value: entry.info for value, entry in project.classes.items()}
    known |= {value: ClassInfo.default(value) for value in pixels if value not in known}
    return [[str(value), info.name, info.color, str(pixels.get(value, 0))] for value, info in known.items()]
