"""A project's images are those of files and arrays: the same features, whether a file is pointed at or kept inside."""

import numpy as np
import pytest

from patchfield.field import FeatureRecipe
from patchfield.images import ArrayStack, plane_indices, read_image
from patchfield.probe import LinearProbe
from patchfield.store import Project
from tests.surfaces.kinds import HEIGHT, KINDS, WIDTH
from tests.surfaces.ways import equal, extractor_for


@pytest.mark.parametrize("name", KINDS)
def test_a_project_sees_what_files_and_arrays_are(name, tmp_path):
    kind = KINDS[name]
    path = kind.write(tmp_path)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[20:23, 6:20], labels[20:23, 40:54] = 1, 2
    with Project.create(tmp_path / "all.patchfield", FeatureRecipe("filters", "fast")) as project:
        of_file = project.add(path, kind.settings)
        kept = project.add(ArrayStack(kind.planes, f"{kind.axes}YXC"[: kind.planes.ndim], "the array"), kind.settings)
        stack = read_image(path, axes=kind.settings.axes)
        first, last = plane_indices(stack)[0], plane_indices(stack)[-1]
        project.labels[of_file, first] = labels
        project.save()
    with Project.open(project.path) as project:
        extractor = extractor_for(kind.settings)
        field = extractor.field(stack, last)
        assert equal(extractor.field(project.image(kept).open(), last), field)
        project.fit()
        expected = LinearProbe().fit([(extractor.field(stack, first), labels)]).segment(field)
        np.testing.assert_array_equal(project.segment(of_file, last), expected)
        np.testing.assert_array_equal(project.segment(kept, last), expected)
