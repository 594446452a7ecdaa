"""Weights from the Hugging Face hub: found where they already are, else downloaded, never half.

A download goes into the folder of weights, as a partial file until all of it is there and its hash is right. The hub's
client starts again after an interruption; this one goes on where it stopped, and can be cancelled at any moment. Files
that are already in the hub's cache are used from there.
"""

import hashlib
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from patchfield.backbones.local import FOLDER_VARIABLE, checksum_file, file_stem, find_local, weights_folder
from patchfield.backbones.network import chosen_offline, reason, unusable_endpoint, unusable_setting
from patchfield.backbones.weights import Hub, Weight
from patchfield.errors import BackboneError

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all; raise from it to cancel: what is there is kept."""

_PATIENCE = 5.0
"""Seconds that the hub has to answer before this machine counts as offline."""

_CHUNK = 1 << 18


class _Remote(NamedTuple):
    """A file as the hub describes it: its content's name (a SHA-256 for large files) and its bytes."""

    url: str
    etag: str
    size: int


class _Unreachable(Exception):
    """Nothing arrives; the reason in words."""


def fetch(weight: Weight, student: bool = False, progress: ProgressCallback | None = None) -> Path:
    """The file of a weight, downloaded into the folder of weights where it is not yet on this machine.

    Parameters
    ----------
    weight : Weight
    student : bool
        The student's file instead of the teacher's, where there are two.
    progress : callable, optional
        See :data:`ProgressCallback`.

    Raises
    ------
    BackboneError
        Within seconds, when there is no network: with the file, its size, where to put it, and the setting of the
        environment that keeps the hub away.
    """
    found = find_local(weight, student)
    if found is not None:
        return found
    hub = weight.origin
    if not isinstance(hub, Hub):
        raise BackboneError(f"'{weight.name}' is not a download and not in '{weights_folder()}'.")
    target = weights_folder() / f"{file_stem(weight, student)}{Path(hub.chosen_file(student)).suffix}"
    try:
        remote = _ask_hub(hub, student)
        _complete(target, remote, progress or (lambda done, total: None))
    except _Unreachable as error:
        raise BackboneError(
            f"'{weight.name}' is not on this machine and {error}: download {hub.page(student)} (about "
            f"{hub.size / 1e6:.0f} MB) on another machine and save it as '{target}', or set {FOLDER_VARIABLE} to the "
            "folder that holds it; 'micro' and 'filters' need no download."
        ) from None
    except OSError as error:
        raise BackboneError(
            f"'{weight.name}' cannot be saved in '{target.parent}' ({error.strerror or error}): make room there, or "
            f"set {FOLDER_VARIABLE} to a folder with room."
        ) from None
    return target


def _ask_hub(hub: Hub, student: bool) -> _Remote:
    problem = chosen_offline() or unusable_endpoint()
    if problem:
        raise _Unreachable(problem)
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(hub.repo, hub.chosen_file(student), revision=hub.revision)
    with _reasons(url):
        metadata = get_hf_file_metadata(url, timeout=_PATIENCE)
    if metadata.etag is None or metadata.size is None:
        raise BackboneError(f"The answer for {url} names no size and hash: check HF_ENDPOINT and the proxy.")
    return _Remote(url, metadata.etag, metadata.size)


@contextmanager
def _reasons(url: str) -> Iterator[None]:
    """Errors of the network in words."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    problem = unusable_setting(url)
    if problem:
        raise _Unreachable(problem)
    try:
        yield
    except OfflineModeIsEnabled:
        raise _Unreachable("HF_HUB_OFFLINE is set") from None
    except HfHubHTTPError as error:
        raise _Unreachable(f"the hub answered with status {error.response.status_code}") from None
    except (_transport_error(), ssl.SSLError) as error:
        raise _Unreachable(reason(error, url)) from None


def _transport_error() -> type[Exception]:
    """The base of all network errors of the HTTP library that the hub's client uses; its own errors derive from it."""
    from huggingface_hub.errors import HfHubHTTPError

    (library_error, *_) = HfHubHTTPError.__bases__
    return library_error


def _complete(target: Path, remote: _Remote, progress: ProgressCallback) -> None:
    """Download what is missing of a file and give it its name once all of it is there and right."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{remote.etag[:16]}.partial")
    with _locked(target, lambda: progress(_size(partial), remote.size)):
        if not target.exists():
            _download_rest(partial, remote, progress)
            _verify(partial, remote)
            partial.replace(target)
            if _is_sha256(remote.etag):
                checksum_file(target).write_text(f"{remote.etag}  {target.name}\n", encoding="ascii")
            for stale in target.parent.glob(f".{target.name}.*.partial"):  # of versions that the hub no longer has
                stale.unlink(missing_ok=True)


@contextmanager
def _locked(target: Path, while_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a download; another process's download is waited for."""
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0.5)
        except Timeout:
            while_waiting()
    try:
        yield
    finally:
        lock.release()


def _download_rest(partial: Path, remote: _Remote, progress: ProgressCallback) -> None:
    """Append to the partial file until it is complete; interrupted transfers go on while they bring anything."""
    if _size(partial) > remote.size:
        partial.unlink()
    progress(_size(partial), remote.size)
    while (start := _size(partial)) < remote.size:
        try:
            with _reasons(remote.url):
                _transfer(partial, start, remote, progress)
        except _Unreachable:
            if _size(partial) <= start:
                raise
        if _size(partial) <= start:  # answered in full, but not with the file: a portal of the network, or a proxy
            partial.unlink()
            raise BackboneError(f"{remote.url} was answered with something else: check HF_ENDPOINT and the proxy.")


def _transfer(partial: Path, start: int, remote: _Remote, progress: ProgressCallback) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

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
    if intact and _is_sha256(remote.etag):
        with partial.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == remote.etag
    if not intact:
        partial.unlink()
        raise BackboneError(f"{remote.url} arrived damaged and was discarded: try again.")


def _is_sha256(etag: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", etag) is not None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
