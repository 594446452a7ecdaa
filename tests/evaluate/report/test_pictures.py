import json

import numpy as np
import pytest
from PIL import Image

from patchfield.errors import PatchfieldError
from patchfield.evaluate.report.pictures import curves_picture, read_curves


def test_curves_are_read_from_any_json_lines(tmp_path):
    log = tmp_path / "log.jsonl"
    entries = [{"step": i, "loss": 4.0 - i, "monitors": {"rank": 10 + i}, "note": "x", "ok": True} for i in range(3)]
    lines = [json.dumps(entry) for entry in entries]
    log.write_text("\n".join([json.dumps({"config": {"lr": 1}}), *lines, '{"step": 3, "lo']))
    curves = read_curves(log)
    assert curves == {"loss": ([0, 1, 2], [4.0, 3.0, 2.0]), "monitors/rank": ([0, 1, 2], [10.0, 11.0, 12.0])}
    with Image.open(curves_picture(curves, tmp_path / "curves.png")) as picture:
        assert np.asarray(picture).std() > 0


def test_logs_without_numbers_are_refused(tmp_path):
    with pytest.raises(PatchfieldError, match="cannot be read"):
        read_curves(tmp_path / "missing.jsonl")
    (tmp_path / "empty.jsonl").write_text("hello\n[1]\n")
    with pytest.raises(PatchfieldError, match="no line with a step"):
        read_curves(tmp_path / "empty.jsonl")
