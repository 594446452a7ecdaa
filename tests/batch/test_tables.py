"""Tables that many runs add to, with columns that come later."""

import csv
from pathlib import Path

import pytest

from patchfield.batch.tables import SharedTable
from patchfield.errors import OutputError

COLUMNS = ("image", "name")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_that_another_run_added_are_kept(tmp_path):
    one, other = (SharedTable(tmp_path / "t.csv", COLUMNS, "objects", grows=True) for _ in range(2))
    one.replace("a", [{"image": "a", "name": "=x", "area (px)": "-1"}])
    other.replace("b", [{"image": "b", "name": "y", "area (µm²)": "2"}])
    one.replace("a", [{"image": "a", "name": "z", "area (px)": "3"}])
    one.replace("c", [])
    assert rows_of(tmp_path / "t.csv") == [
        {"image": "b", "name": "y", "area (px)": "", "area (µm²)": "2"},
        {"image": "a", "name": "z", "area (px)": "3", "area (µm²)": ""},
    ]
    assert [one.has(name) for name in "abc"] == [True, True, False]


def test_text_is_no_formula_and_numbers_may_be_negative(tmp_path):
    table = SharedTable(tmp_path / "t.csv", COLUMNS, "objects", grows=True)
    table.replace("-a", [{"image": "-a", "name": "=1+1", "mean intensity": "-3.5"}])
    assert table.rows() == [{"image": "'-a", "name": "'=1+1", "mean intensity": "-3.5"}]
    assert table.has("-a")


@pytest.mark.parametrize("content", ["image\n", "image,name,more\na,b\n", "image,name,more\na,b,c\n"])
def test_only_tables_that_grow_have_further_columns(tmp_path, content):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(OutputError, match="table of areas"):
        SharedTable(tmp_path / "t.csv", COLUMNS, "areas")
