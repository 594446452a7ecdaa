"""Tables of areas."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from patchfield.batch.areas import AreaTable, class_areas
from patchfield.errors import OutputError
from patchfield.images import Calibration

SEGMENTATION = np.array([[1, 1, 2], [1, 1, 2]])
CLASSES = {1: "pore", 2: "solid", 5: "gone"}


def areas(image: str = "a", classes=CLASSES, calibration=None):
    return class_areas(image, Path(f"{image}.tif"), (), SEGMENTATION, classes, calibration)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_pixels_fractions_and_physical_areas(tmp_path):
    rows = areas(calibration=Calibration(0.5, 0.2, "µm"))
    assert [row.pixels for row in rows] == [4, 2, 0]
    assert sum(row.fraction for row in rows) == pytest.approx(1)
    assert [row.area for row in rows] == pytest.approx([0.4, 0.2, 0])
    AreaTable(tmp_path / "areas.csv").replace("a", rows)
    first = rows_of(tmp_path / "areas.csv")[0]
    assert (first["name"], first["label"], first["unit"], first["path"]) == ("pore", "1", "µm²", "a.tif")
    assert float(first["area"]) == pytest.approx(0.4)


@pytest.mark.parametrize("calibration", [None, Calibration(1 / 300, 1 / 300, "inch")])
def test_a_printing_resolution_gives_no_physical_area(calibration):
    row = areas(calibration=calibration)[0]
    assert (row.area, row.unit) == (None, "")


def test_an_image_done_again_has_its_new_rows_only_and_others_keep_theirs(tmp_path):
    table = AreaTable(tmp_path / "areas.csv")
    table.replace("a", areas("a"))
    table.replace("b", areas("b"))
    AreaTable(tmp_path / "areas.csv").replace("a", areas("a", {1: "void"}))
    assert [(row["image"], row["name"]) for row in rows_of(tmp_path / "areas.csv")] == [
        ("b", "pore"),
        ("b", "solid"),
        ("b", "gone"),
        ("a", "void"),
    ]


def test_runs_at_the_same_time_keep_all_rows(tmp_path):
    program = """
import sys
from pathlib import Path
import numpy as np
from patchfield.batch.areas import AreaTable, class_areas
table = AreaTable(Path(sys.argv[1]))
for index in range(15):
    image = f"{sys.argv[2]}-{index}"
    table.replace(image, class_areas(image, Path(image), (), np.ones((2, 2), int), {1: "pore"}, None))
    table.replace(image, class_areas(image, Path(image), (), np.ones((2, 2), int), {1: "void"}, None))
    table.replace("of all", class_areas("of all", Path("x"), (), np.ones((2, 2), int), {1: "void"}, None))
"""
    table = tmp_path / "areas.csv"
    processes = [subprocess.Popen([sys.executable, "-c", program, table, str(run)]) for run in range(3)]
    assert [process.wait(timeout=600) for process in processes] == [0, 0, 0]
    assert sorted((row["image"], row["name"]) for row in rows_of(table)) == sorted(
        [("of all", "void"), *((f"{run}-{index}", "void") for run in range(3) for index in range(15))]
    )
    assert os.listdir(tmp_path) == ["areas.csv"]


def test_no_cell_is_a_formula_and_every_name_can_be_written(tmp_path):
    image = os.fsdecode(b"=gr\xf6sse")
    AreaTable(tmp_path / "areas.csv").replace(image, areas(image, {1: "=cmd|'/c calc'!A1", 2: "@SUM(1+1)", 3: "-"}))
    rows = rows_of(tmp_path / "areas.csv")
    assert [row["name"] for row in rows] == ["'=cmd|'/c calc'!A1", "'@SUM(1+1)", "'-"]
    assert rows[0]["path"] == "'=gr\\udcf6sse.tif"


@pytest.mark.parametrize("content", [b"my,own\n1,2\n", b"\xff\xfe\x00", b"image,path\n"])
def test_a_file_that_is_no_such_table_stays(tmp_path, content):
    (tmp_path / "areas.csv").write_bytes(content)
    with pytest.raises(OutputError, match="stands in the way"):
        AreaTable(tmp_path / "areas.csv")
    assert (tmp_path / "areas.csv").read_bytes() == content
