"""Weights from the Hugging Face hub: found where they already are, else downloaded, never half.

The file is fetched here and then handed to the hub's own cache. The hub's client starts again after an
interruption; this one goes on where it stopped, can be cancelled at any moment, and checks the hash of the whole.
"""

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from patchfield.backbones.checkpoints import SUFFIXES
from patchfield.backbones.registry import Source, Weight
from patchfield.errors import BackboneError

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all; raise from it to cancel: what is there is kept."""

FOLDER_VARIABLE = "PATCHFIELD_WEIGHTS"
"""Environment variable with the folder of weights that were put in place by hand or exported by training."""

_PATIENCE = 5.0
"""Seconds that the hub has to answer before this machine counts as offline."""

_CHUNK = 1 << 18


class _Remote(NamedTuple):
    """A file as the hub describes it: its blob's name (a SHA-256 for large files) and its bytes."""

    url: str
    etag: str
    size: int


def weights_folder() -> Path:
    """Where weights are looked for first: ``$PATCHFIELD_WEIGHTS``, or ``~/.cache/patchfield/weights``."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "patchfield" / "weights").expanduser()


def find_local(weight: Weight, student: bool = False) -> Path | None:
    """The file of a weight on this machine, or None; asks no network.

    Looked for in :func:`weights_folder` under the weight's name (``neco-small.ckpt``, ``neco-small-student.ckpt``;
    any suffix of a checkpoint), then in the hub's cache, which timm shares.
    """
    for suffix in SUFFIXES:
        path = weights_folder() / f"{_stem(weight, student)}{suffix}"
        if path.is_file():
            return path
    if weight.source is None:
        return None
    source = weight.source
    cached = try_to_load_from_cache(source.repo, source.chosen_file(student), revision=source.revision)
    return Path(cached) if isinstance(cached, str) else None


def fetch(weight: Weight, student: bool = False, progress: Progress | None = None) -> Path:
    """The file of a weight, downloaded into the hub's cache where it is not yet on this machine.

    Parameters
    ----------
    weight : Weight
    student : bool
        The student's file instead of the teacher's, where there are two.
    progress : callable, optional
        See :data:`Progress`.

    Raises
    ------
    BackboneError
        Within seconds, when there is no network: with the file, its size, and where to put it.
    """
    found = find_local(weight, student)
    if found is not None:
        return found
    if weight.source is None:
        raise BackboneError(f"'{weight.name}' is not a download and not in '{weights_folder()}'.")
    source, file = weight.source, weight.source.chosen_file(student)
    try:
        remote = _ask_hub(source, file)
        _complete_blob(_blob(source, remote), remote, progress or (lambda done, total: None))
        return Path(hf_hub_download(source.repo, file, revision=source.revision, etag_timeout=_PATIENCE))
    except OfflineModeIsEnabled:
        raise _unreachable(weight, student, "HF_HUB_OFFLINE is set") from None
    except LocalEntryNotFoundError:
        raise _unreachable(weight, student, "the hub cannot be reached") from None
    except HfHubHTTPError as error:
        reason = f"the hub answered with status {error.response.status_code}"
        raise _unreachable(weight, student, reason) from None
    except _transport_errors():
        raise _unreachable(weight, student, "the hub cannot be reached") from None
    except OSError as error:
        raise BackboneError(
            f"'{weight.name}' cannot be saved in '{constants.HF_HUB_CACHE}' ({error.strerror or error}): make room "
            "there, or set HF_HOME to a folder with room."
        ) from None


def _stem(weight: Weight, student: bool) -> str:
    released_apart = weight.source is not None and weight.source.student_file is not None
    return f"{weight.name}-student" if student and released_apart else weight.name


def _ask_hub(source: Source, file: str) -> _Remote:
    url = hf_hub_url(source.repo, file, revision=source.revision)
    metadata = get_hf_file_metadata(url, timeout=_PATIENCE)
    if metadata.etag is None or metadata.size is None:
        raise BackboneError(f"The answer for {url} names no size and hash: check HF_ENDPOINT and the proxy.")
    return _Remote(url, metadata.etag, metadata.size)


def _blob(source: Source, remote: _Remote) -> Path:
    """Where the hub's cache keeps the content of a file, whatever its name and revision."""
    folder = repo_folder_name(repo_id=source.repo, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / folder / "blobs" / remote.etag


def _complete_blob(blob: Path, remote: _Remote, progress: Progress) -> None:
    """Download what is missing of a blob and give it its name once all of it is there and right."""
    partial = blob.with_name(f"{blob.name}.incomplete")
    blob.parent.mkdir(parents=True, exist_ok=True)
    with _locked(blob, lambda: progress(_size(partial), remote.size)):
        if not blob.exists():
            _download_rest(partial, remote, progress)
            _verify(partial, remote)
            partial.replace(blob)


@contextmanager
def _locked(blob: Path, while_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock that the hub's client uses for a blob; another process's download is waited for."""
    path = blob.parents[2] / ".locks" / blob.parents[1].name / f"{blob.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0.5)
        except Timeout:
            while_waiting()
    try:
        yield
    finally:
        lock.release()


def _download_rest(partial: Path, remote: _Remote, progress: Progress) -> None:
    """Append to the partial file until it is complete; interrupted transfers go on while they bring anything."""
    if _size(partial) > remote.size:
        partial.unlink()
    progress(_size(partial), remote.size)
    while (start := _size(partial)) < remote.size:
        try:
            _transfer(partial, start, remote, progress)
        except _transport_errors():
            if _size(partial) <= start:
                raise


def _transfer(partial: Path, start: int, remote: _Remote, progress: Progress) -> None:
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with get_session().stream(
        "GET", remote.url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT, follow_redirects=True
    ) as response:
        hf_raise_for_status(response)
        resumed = response.status_code == 206
        done = start if resumed else 0
        with partial.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_bytes(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done, remote.size)


def _verify(partial: Path, remote: _Remote) -> None:
    intact = _size(partial) == remote.size
    if intact and re.fullmatch(r"[0-9a-f]{64}", remote.etag):
        with partial.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == remote.etag
    if not intact:
        partial.unlink()
        raise BackboneError(f"{remote.url} arrived damaged and was discarded: try again.")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _transport_errors() -> type[Exception]:
    """The base of all network errors of the HTTP library that this version of the hub's client uses."""
    library = sys.modules[type(get_session()).__module__.partition(".")[0]]
    error: type[Exception] = library.HTTPError
    return error


def _unreachable(weight: Weight, student: bool, reason: str) -> BackboneError:
    assert weight.source is not None
    suffix = Path(weight.source.chosen_file(student)).suffix
    place = weights_folder() / f"{_stem(weight, student)}{suffix}"
    return BackboneError(
        f"'{weight.name}' is not on this machine and {reason}: download {weight.source.page(student)} (about "
        f"{weight.size / 1e6:.0f} MB) on another machine and save it as '{place}', or set {FOLDER_VARIABLE} to the "
        "folder that holds it; 'micro' and 'filters' need no download."
    )
