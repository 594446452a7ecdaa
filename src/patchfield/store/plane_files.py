"""One file for each painted plane: ``labels/IMAGE/p.npz``, or ``p3.npz`` and ``p0_12.npz`` for planes of stacks.

A file is a compressed NumPy archive without pickled objects. Positions are flat pixel indices (row * width + column),
stored as distances, which compress well: a run begins ``gaps[i]`` pixels after the end of the one before and has
``lengths[i]`` pixels.

===========  ==========  ===============================================================
array        shape       what it holds
===========  ==========  ===============================================================
plane        (4,)        version (1), rows, columns, earlier edits that are not kept
runs         (3, n)      gaps, lengths and labels of the runs of painted pixels
edits        (3, e)      number, whether it is undone, and count of stretches, by edit
stretches    (4, m)      gaps, lengths, labels before and after, one edit after the other
===========  ==========  ===============================================================
"""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from patchfield.atomic import atomic_path
from patchfield.errors import ProjectError
from patchfield.images import PlaneIndex
from patchfield.store.history import MAX_EDITS, MAX_STRETCHES, PlaneEdit, PlaneRecord
from patchfield.store.sparse import MAX_LABEL, MAX_PIXELS, Change, Integers, SparseLabels

MAX_BYTES = 2**28
"""Of a file when it is unpacked: some 20 million runs."""

_VERSION = 1
_ROWS = {"plane": 4, "runs": 3, "edits": 3, "stretches": 4}
"""The length of each array's first axis."""

_NAME = re.compile(r"p((?:0|[1-9]\d{0,8})(?:_(?:0|[1-9]\d{0,8})){0,7})?\.npz")


def plane_name(index: PlaneIndex) -> str:
    """What the file of a plane is called.

    Examples
    --------
    >>> plane_name(()), plane_name((0, 12))
    ('p.npz', 'p0_12.npz')
    """
    return f"p{'_'.join(map(str, index))}.npz"


def plane_of(name: str) -> PlaneIndex | None:
    """The plane that a file is of; None for the names of other files.

    Examples
    --------
    >>> plane_of("p0_12.npz"), plane_of("p.npz"), plane_of("p01.npz")
    ((0, 12), (), None)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return tuple(int(number) for number in match[1].split("_")) if match[1] else ()


def write_plane(path: Path, record: PlaneRecord) -> None:
    """Write what is painted on a plane, whole or not at all.

    Raises
    ------
    OSError
        When the disk is full, or the folder cannot be written to.
    """
    labels, edits = record.labels, record.edits
    starts, ends, before, after = (
        np.concatenate([np.zeros(0, np.int64), *(getattr(edit.change, name) for edit in edits)])
        for name in ("starts", "ends", "before", "after")
    )
    sizes = np.array([len(edit.change) for edit in edits], np.int64)
    numbers, undone = [edit.number for edit in edits], [edit.undone for edit in edits]
    arrays = {
        "plane": np.array([_VERSION, *labels.shape, record.forgotten]),
        "runs": np.stack([_gaps(labels.starts, labels.ends), labels.ends - labels.starts, labels.values]),
        "edits": np.stack([np.array(numbers, np.int64), np.array(undone, np.int64), sizes]),
        "stretches": np.stack([_gaps(starts, ends, sizes), ends - starts, before, after]),
    }
    compact = {name: values.astype(np.min_scalar_type(int(values.max(initial=0)))) for name, values in arrays.items()}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **compact)  # type: ignore[arg-type]


def read_plane(path: Path, shape: tuple[int, int]) -> PlaneRecord:
    """What :func:`write_plane` wrote.

    Raises
    ------
    ProjectError
        When the file is damaged, of a newer version, or of a plane of another shape.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            _require(sum(member.file_size for member in archive.infolist()) <= MAX_BYTES, "it is too large")
            plane = _array(archive, members, "plane")
            if plane[0] <= _VERSION:
                runs, edits, stretches = (_array(archive, members, name) for name in ("runs", "edits", "stretches"))
                return _record(plane, runs, edits, stretches, shape)
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError) as error:
        missing = isinstance(error, KeyError)
        reason = f"{error.args[0]!r} is missing" if missing else " ".join(str(error).split()).rstrip(".")
        raise _damaged(path, reason) from error
    except (NotImplementedError, RuntimeError) as error:  # other kinds of compression; encrypted
        raise _damaged(path, str(error)) from error
    raise ProjectError(f"{path} was saved by a newer Patchfield: update Patchfield to open it.")


def _damaged(path: Path, reason: str) -> ProjectError:
    return ProjectError(f"The strokes in {path} are damaged ({reason}): take the file from a backup, or move it away.")


def _array(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str) -> Integers:
    """One of the arrays, checked."""
    stored: NDArray[Any] = read_array(io.BytesIO(archive.read(members[f"{name}.npy"])), allow_pickle=False)
    fits = stored.ndim == (1 if name == "plane" else 2) and len(stored) == _ROWS[name]
    _require(fits and stored.dtype.kind in "iu" and stored.nbytes <= MAX_BYTES, f"the array {name}")
    _require(_within(stored, 0, 2**63 - 1), f"values of the array {name}")
    return stored.astype(np.int64)


def _record(
    plane: Integers, runs: Integers, edits: Integers, stretches: Integers, shape: tuple[int, int]
) -> PlaneRecord:
    stored = tuple(plane[1:3].tolist())
    _require(stored == tuple(shape), f"its image has {shape[0]} x {shape[1]} pixels, not {stored}")
    _require(shape[0] * shape[1] <= MAX_PIXELS, f"{shape[0]} x {shape[1]} pixels")
    starts, ends = _stretches(runs[0], runs[1], shape)
    _require(_within(runs[2], 1, MAX_LABEL), "its labels")
    _require(edits.shape[1] <= MAX_EDITS and _within(edits[2], 1, MAX_STRETCHES), "its edits")
    _require(int(edits[2].sum()) == stretches.shape[1] and _within(stretches[2:], 0, MAX_LABEL), "its edits")
    found: list[PlaneEdit] = []
    first = 0
    for number, undone, size in edits.T.tolist():
        part = stretches[:, first : first + size]
        change = Change(*_stretches(part[0], part[1], shape), part[2], part[3])
        found.append(PlaneEdit(number, change, bool(undone)))
        first += size
    _require(sorted(found, key=lambda edit: (edit.undone, edit.number)) == found, "the order of its edits")
    return PlaneRecord(SparseLabels(shape, starts, ends, runs[2]), tuple(found), int(plane[3]))


def _gaps(starts: Integers, ends: Integers, sizes: Integers | None = None) -> Integers:
    """Distances between stretches, which begin anew with every edit."""
    before = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
    if sizes is not None and len(sizes):
        before[np.cumsum(sizes)[:-1]] = 0
    return starts - before


def _stretches(gaps: Integers, lengths: Integers, shape: tuple[int, int]) -> tuple[Integers, Integers]:
    """Where stretches start and end."""
    size = shape[0] * shape[1]
    _require(_within(gaps, 0, size) and _within(lengths, 1, size), "its runs")
    ends = np.cumsum(gaps + lengths)
    _require(not len(ends) or int(ends[-1]) <= size, "runs beyond the last pixel")
    return ends - lengths, ends


def _within(values: NDArray[Any], lowest: int, highest: int) -> bool:
    return not values.size or (int(values.min()) >= lowest and int(values.max()) <= highest)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)
