"""One file for each painted plane: ``labels/IMAGE/p.npz``, or ``p3.npz`` and ``p0_12.npz`` for planes of stacks.

A file is a compressed NumPy archive without pickled objects. Positions are flat pixel indices (row * width + column),
stored as distances, which compress well: a run begins ``gaps[i]`` pixels after the end of the one before and has
``lengths[i]`` pixels.

=========================  =======================================================================
array                      what it holds
=========================  =======================================================================
version                    (1,): 1
shape                      (2,): rows, columns
gaps, lengths, values      (n,): the runs of painted pixels and their labels
forgotten                  (1,): earlier edits that are not kept
numbers, undone, sizes     (e,): of each kept edit its number, whether it is undone, its stretches
edit_gaps, edit_lengths    (m,): the stretches of all edits, one after the other
before, after              (m,): labels before and after the edit
=========================  =======================================================================
"""

import io
import re
import zipfile
import zlib
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
_OF_LABELS = ("version", "shape", "gaps", "lengths", "values")
_OF_EDITS = ("forgotten", "numbers", "undone", "sizes", "edit_gaps", "edit_lengths", "before", "after")
_ARRAYS = frozenset((*_OF_LABELS, *_OF_EDITS))
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
    arrays = {
        "version": np.array([_VERSION]),
        "shape": np.array(labels.shape),
        "gaps": _gaps(labels.starts, labels.ends),
        "lengths": labels.ends - labels.starts,
        "values": labels.values,
        "forgotten": np.array([record.forgotten]),
        "numbers": np.array([edit.number for edit in edits], np.int64),
        "undone": np.array([edit.undone for edit in edits], np.int64),
        "sizes": sizes,
        "edit_gaps": _gaps(starts, ends, sizes),
        "edit_lengths": ends - starts,
        "before": before,
        "after": after,
    }
    compact = {name: _smallest(values) for name, values in arrays.items()}
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
        arrays = _read_arrays(path)
        version = int(arrays["version"][0])
        if version <= _VERSION:
            return _record(arrays, shape)
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, IndexError, EOFError) as error:
        raise _damaged(path, " ".join(str(error).split()).rstrip(".")) from error
    except (NotImplementedError, RuntimeError) as error:  # other kinds of compression; encrypted
        raise _damaged(path, str(error)) from error
    raise ProjectError(f"{path} was saved by a newer Patchfield: update Patchfield to open it.")


def _damaged(path: Path, reason: str) -> ProjectError:
    return ProjectError(f"The strokes in {path} are damaged ({reason}): take the file from a backup, or move it away.")


def _read_arrays(path: Path) -> dict[str, Integers]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _require({member.filename.removesuffix(".npy") for member in members} == _ARRAYS, "other arrays than expected")
        _require(len(members) == len(_ARRAYS), "arrays that repeat")
        _require(sum(member.file_size for member in members) <= MAX_BYTES, "it is too large")
        contents = {member.filename.removesuffix(".npy"): archive.read(member) for member in members}
    arrays: dict[str, Integers] = {}
    for name, content in contents.items():
        values: NDArray[Any] = read_array(io.BytesIO(content), allow_pickle=False)
        _require(values.ndim == 1 and values.dtype.kind in "iu" and values.nbytes <= MAX_BYTES, f"the array {name}")
        _require(values.dtype != np.uint64 or values.max(initial=0) < 2**63, f"the array {name}")
        arrays[name] = values.astype(np.int64)
    return arrays


def _record(arrays: dict[str, Integers], shape: tuple[int, int]) -> PlaneRecord:
    stored = tuple(arrays["shape"].tolist())
    _require(stored == tuple(shape), f"its image has {shape[0]} x {shape[1]} pixels, not {stored}")
    _require(shape[0] * shape[1] <= MAX_PIXELS, f"{shape[0]} x {shape[1]} pixels")
    starts, ends = _stretches(arrays["gaps"], arrays["lengths"], shape)
    values = arrays["values"]
    _require(len(values) == len(starts) and _within(values, 1, MAX_LABEL), "its labels")
    numbers, undone, sizes = arrays["numbers"], arrays["undone"], arrays["sizes"]
    _require(len(numbers) == len(undone) == len(sizes) <= MAX_EDITS, "its edits")
    before, after = arrays["before"], arrays["after"]
    total = len(before)
    _require(total == len(after) == len(arrays["edit_gaps"]) == len(arrays["edit_lengths"]), "its edits")
    _require(_within(sizes, 1, MAX_STRETCHES) and int(sizes.sum()) == total, "the sizes of its edits")
    _require(_within(before, 0, MAX_LABEL) and _within(after, 0, MAX_LABEL), "labels of its edits")
    edits: list[PlaneEdit] = []
    for number, is_undone, last in zip(numbers.tolist(), undone.tolist(), np.cumsum(sizes).tolist(), strict=True):
        part = slice(last - int(sizes[len(edits)]), last)
        edit_starts, edit_ends = _stretches(arrays["edit_gaps"][part], arrays["edit_lengths"][part], shape)
        change = Change(edit_starts, edit_ends, before[part], after[part])
        edits.append(PlaneEdit(number, change, bool(is_undone)))
    _require(sorted(edits, key=lambda edit: (edit.undone, edit.number)) == edits, "the order of its edits")
    forgotten = int(arrays["forgotten"][0])
    return PlaneRecord(SparseLabels(stored, starts, ends, values), tuple(edits), max(0, forgotten))


def _gaps(starts: Integers, ends: Integers, sizes: Integers | None = None) -> Integers:
    """Distances between stretches, which begin anew with every edit."""
    before = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
    if sizes is not None and len(sizes):
        before[np.cumsum(sizes)[:-1]] = 0
    return starts - before


def _stretches(gaps: Integers, lengths: Integers, shape: tuple[int, int]) -> tuple[Integers, Integers]:
    """Where stretches start and end."""
    size = shape[0] * shape[1]
    _require(len(gaps) == len(lengths) and _within(gaps, 0, size) and _within(lengths, 1, size), "its runs")
    ends = np.cumsum(gaps + lengths)
    _require(not len(ends) or int(ends[-1]) <= size, "runs beyond the last pixel")
    return ends - lengths, ends


def _smallest(values: Integers) -> NDArray[Any]:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _within(values: Integers, lowest: int, highest: int) -> bool:
    return not len(values) or (int(values.min()) >= lowest and int(values.max()) <= highest)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)
