"""Images that come with scikit-image itself (no download), with strokes placed by hand."""

from skimage import data

from patchfield.samples.base import Sample, SampleEntry
from patchfield.samples.strokes import painted


def floating_cell(entry: SampleEntry) -> Sample:
    """`skimage.data.cell`: quantitative phase image of a cell floating in saline; CC0."""
    image = data.cell()
    strokes = painted(
        image.shape,
        {
            1: [[(60, 60), (90, 170)], [(300, 60), (380, 110)], [(560, 120), (600, 320)], [(120, 400), (170, 500)]],
            2: [[(340, 400), (355, 460)], [(385, 385), (410, 440)], [(370, 470), (395, 465)]],
            3: [[(322, 350), (305, 380)], [(440, 375), (452, 415)], [(302, 470), (322, 500)], [(420, 500), (440, 485)]],
        },
    )
    return Sample(entry.name, entry.title, image, strokes, None, {1: "background", 2: "cell", 3: "halo"})


def stained_glands(entry: SampleEntry) -> Sample:
    """`skimage.data.immunohistochemistry`: colon glands, DAB and haematoxylin, RGB."""
    image = data.immunohistochemistry()
    strokes = painted(
        image.shape[:2],
        {
            1: [[(330, 10), (380, 25)], [(100, 330), (150, 355)], [(430, 440), (480, 450)], [(310, 8), (325, 35)]],
            2: [[(270, 200), (330, 215)], [(380, 195), (440, 200)], [(310, 330), (340, 390)], [(60, 470), (160, 478)]],
            3: [[(100, 60), (140, 150)], [(350, 280), (420, 300)], [(330, 90), (420, 110)], [(60, 380), (140, 420)]],
        },
    )
    return Sample(entry.name, entry.title, image, strokes, None, {1: "glass", 2: "stroma", 3: "gland"})
