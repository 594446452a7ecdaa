"""Paint, be killed, look: ``killed_painters.py FOLDER IMAGE`` prints how many painters left a whole project.

A process of its own, for it forks: each painter paints stroke after stroke, changes classes and view meanwhile, and
says which strokes are saved; it is killed at a random moment.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from patchfield.field import FeatureRecipe
from patchfield.store import Project, ProjectClass, ProjectView

PAINTERS = 24


def labels_after(stroke: int, shape: tuple[int, int]) -> np.ndarray:
    """What is painted after so many strokes."""
    labels = np.zeros(shape, np.uint8)
    for number in range(1, stroke + 1):
        labels[number % shape[0], :] = 1 + number % 250
    return labels


def paint(folder: Path, image: Path, pipe: int) -> None:
    with Project.open(folder) as project:
        entry = project.add(image)
        for stroke in range(project.labels.strokes(entry) + 1, 10**6):
            project.labels[entry, ()] = labels_after(stroke, entry.shape)
            project.classes = {1: ProjectClass(f"after {stroke}", "#4aa8ff")}
            project.view = ProjectView(entry.id, zoom=float(stroke))
            project.save()
            os.write(pipe, stroke.to_bytes(4, "little"))


def killed_at_random(folder: Path, image: Path, seconds: float) -> int:
    """Let a painter paint for a moment; gives the last stroke that it said was saved."""
    reader, writer = os.pipe()
    painter = os.fork()
    if painter == 0:
        paint(folder, image, writer)
    os.close(writer)
    first = os.read(reader, 4)
    time.sleep(seconds)
    os.kill(painter, signal.SIGKILL)
    os.waitpid(painter, 0)
    said = first
    while more := os.read(reader, 4096):
        said += more
    os.close(reader)
    return int.from_bytes(said[-4:], "little")


def main(folder: Path, image: Path) -> None:
    path, whole = folder / "killed.patchfield", 0
    Project.create(path, FeatureRecipe("filters", "fast")).close()
    moments = random.Random(0)
    for _ in range(PAINTERS):
        saved = killed_at_random(path, image, moments.uniform(0, 0.05))
        with Project.open(path) as project:
            strokes = project.labels.strokes(image)
            assert saved <= strokes <= saved + 1, (saved, strokes)
            np.testing.assert_array_equal(project.labels[image, ()], labels_after(strokes, project.images[0].shape))
            assert len(project.labels.history(image).done) == min(strokes, 100)
            assert project.classes[1].name in {f"after {saved}", f"after {saved + 1}"}
            assert not list(path.rglob(".patchfield-*"))
        whole += 1
    print(whole)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
