"""One file that fails leaves the others, and says why."""

import errno
from pathlib import Path

import numpy as np
import pytest

from patchfield.batch.failures import LOG, Failures
from patchfield.errors import ImageError, error_sentence

FILE = Path("scans/a.tif")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImageError("scans/a.tif is damaged."), "scans/a.tif is damaged."),
        (ImageError("The image is empty."), "scans/a.tif: The image is empty."),
        (OSError(errno.ENOSPC, "No space left on device", "out/a.tif"), "out/a.tif: the disk is full"),
        (FileExistsError(errno.EEXIST, "File exists", "out"), "out: a file of this name stands in the way"),
        (
            IsADirectoryError(errno.EISDIR, "Is a directory", "out/.tmp", None, "out/a.tif"),
            "out/a.tif: a folder of this",
        ),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory"),
        (MemoryError(), "not enough memory"),
        (np._core._exceptions._ArrayMemoryError((9, 9), np.dtype(float)), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "not enough memory"),
        (KeyError("x"), "A defect of Patchfield (KeyError: 'x')"),
    ],
)
def test_every_failure_is_one_line_that_names_the_file(tmp_path, error, words):
    failures = Failures(tmp_path)
    with failures.caught(FILE):
        raise error
    sentence = failures.sentences[FILE]
    assert words in sentence
    assert str(FILE) in sentence
    assert "\n" not in sentence
    assert "Errno" not in sentence


def test_the_traceback_of_a_defect_is_kept(tmp_path):
    failures = Failures(tmp_path / "out")
    with failures.caught(FILE):
        raise KeyError("x")
    assert str(tmp_path / "out" / LOG) in failures.sentences[FILE]
    assert "test_failures.py" in (tmp_path / "out" / LOG).read_text()
    assert error_sentence(KeyError("x")) is None


def test_ctrl_c_is_no_failure_of_a_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), Failures(tmp_path).caught(FILE):
        raise KeyboardInterrupt
