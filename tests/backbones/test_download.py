"""Downloads from a hub on localhost: whole or not at all, resumed, cancelled, and advice without a network."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from patchfield.backbones.download import fetch, find_local
from patchfield.backbones.registry import Source, find_weight
from patchfield.errors import BackboneError

CONTENT = bytes(range(256)) * 4096 * 5
"""Five megabytes: twenty chunks."""

WEIGHT = find_weight("neco-small")
PATH = f"/{WEIGHT.source.repo}/resolve/main/{WEIGHT.source.file}"


@dataclass
class Hub:
    """What the server on localhost serves, and what it was asked."""

    content: bytes = CONTENT
    etag: str = hashlib.sha256(CONTENT).hexdigest()
    status: int = 200
    breaks_after: int | None = None
    starts: list[int] = field(default_factory=list)
    questions: int = 0


def use_endpoint(monkeypatch, address: str) -> None:
    """What HF_ENDPOINT does before the hub's client is imported."""
    template = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + template)


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Hub]:
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            served.questions += 1
            self.send_response(served.status if self.path == PATH else 404)
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("ETag", f'"{served.etag}"')
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()

        def do_GET(self) -> None:
            if self.path != PATH:
                self.send_error(404)
                return
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            served.starts.append(start)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            stop = len(CONTENT) if served.breaks_after is None else start + served.breaks_after
            with suppress(ConnectionError):  # who cancels hangs up
                self.wfile.write(served.content[start:stop])

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    use_endpoint(monkeypatch, f"http://localhost:{server.server_port}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def blobs(tmp_path) -> Path:
    return tmp_path / "hub" / "models--FunAILab--NeCo" / "blobs"


class Cancelled(Exception):
    pass


def cancel_at(size: int):
    def progress(done: int, total: int) -> None:
        if done >= size:
            raise Cancelled

    return progress


def test_the_whole_file_lands_in_the_hub_s_cache_and_is_found_without_network(hub, blobs, monkeypatch):
    steps = []
    path = fetch(WEIGHT, progress=lambda done, total: steps.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert path.resolve() == blobs / hub.etag
    assert steps[0] == (0, len(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert len(steps) > 3
    use_endpoint(monkeypatch, "http://localhost:1")
    assert fetch(WEIGHT) == find_local(WEIGHT) == path
    assert len(hub.starts) == 1


def test_cancelled_downloads_go_on_where_they_stopped(hub, blobs):
    with pytest.raises(Cancelled):
        fetch(WEIGHT, progress=cancel_at(2_000_000))
    kept = (blobs / f"{hub.etag}.incomplete").stat().st_size
    assert 2_000_000 <= kept < len(CONTENT)
    assert find_local(WEIGHT) is None
    assert fetch(WEIGHT).read_bytes() == CONTENT
    assert hub.starts == [0, kept]


def test_connections_that_break_are_resumed(hub):
    hub.breaks_after = 2_000_000
    assert fetch(WEIGHT).read_bytes() == CONTENT
    assert len(hub.starts) == 3
    assert hub.starts == sorted(set(hub.starts))


def test_connections_that_bring_nothing_end_with_advice(hub):
    hub.breaks_after = 0
    with pytest.raises(BackboneError, match="the hub cannot be reached"):
        fetch(WEIGHT)
    assert len(hub.starts) == 1


def test_damaged_content_is_discarded(hub, blobs):
    hub.content = b"x" + CONTENT[1:]
    with pytest.raises(BackboneError, match="arrived damaged and was discarded"):
        fetch(WEIGHT)
    assert list(blobs.iterdir()) == []
    assert find_local(WEIGHT) is None
    hub.content = CONTENT
    assert fetch(WEIGHT).read_bytes() == CONTENT


def test_a_partial_file_of_other_content_is_noticed(hub, blobs):
    blobs.mkdir(parents=True)
    (blobs / f"{hub.etag}.incomplete").write_bytes(bytes(1000))
    with pytest.raises(BackboneError, match="arrived damaged"):
        fetch(WEIGHT)
    assert fetch(WEIGHT).read_bytes() == CONTENT


def test_two_at_once_download_once(hub):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(WEIGHT))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths[0] == paths[1]
    assert hub.starts == [0]


def test_advice_without_network_names_file_size_and_place(hub, monkeypatch, weights_folder):
    use_endpoint(monkeypatch, "http://localhost:1")
    with pytest.raises(BackboneError) as caught:
        fetch(WEIGHT, student=True)
    sentence = str(caught.value)
    assert "https://huggingface.co/FunAILab/NeCo/resolve/main/vit-small/" in sentence
    assert "neco_on_dinov2r_xr_vit14_model.ckpt (about 88 MB)" in sentence
    assert f"save it as '{weights_folder / 'neco-small-student.ckpt'}'" in sentence
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("status", "words"), [(404, "status 404"), (503, "status 503")])
def test_refusals_of_the_hub_are_named_at_once(status, words, hub):
    hub.status = status
    with pytest.raises(BackboneError, match=words):
        fetch(WEIGHT)
    assert hub.questions == 1


def test_offline_mode_is_named(hub, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BackboneError, match="HF_HUB_OFFLINE is set"):
        fetch(WEIGHT)


def test_a_full_disk_is_named(hub, monkeypatch):
    whole = Path.open

    def full(path, mode="r", *arguments, **keywords):
        if path.suffix == ".incomplete":
            raise OSError(28, "No space left on device")
        return whole(path, mode, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(BackboneError, match="No space left on device"):
        fetch(WEIGHT)


def test_files_put_in_place_by_hand_come_first(hub, weights_folder):
    for student, name in ((False, "neco-small.pth"), (True, "neco-small-student.safetensors")):
        (weights_folder / name).write_bytes(b"weights")
        assert fetch(WEIGHT, student) == weights_folder / name
    assert hub.starts == []


def test_page_is_the_file_s_address():
    assert Source("timm/x.y").page() == "https://huggingface.co/timm/x.y/resolve/main/model.safetensors"
