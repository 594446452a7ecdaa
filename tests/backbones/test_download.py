"""Downloads from a hub on localhost: whole or not at all, resumed, cancelled, and advice without a network."""

import hashlib
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
import pytest

from patchfield.backbones import find_local, find_weight, load_backbone
from patchfield.backbones.download import fetch
from patchfield.backbones.local import stated_sha256
from patchfield.backbones.network import reason
from patchfield.errors import BackboneError

CONTENT = bytes(range(256)) * 4096 * 5
"""Five megabytes: twenty chunks."""

WEIGHT = find_weight("neco-small")
PATH = f"/{WEIGHT.origin.repo}/resolve/main/{WEIGHT.origin.file}"


@dataclass
class Hub:
    """What the server on localhost serves, and what it was asked."""

    content: bytes = CONTENT
    etag: str = hashlib.sha256(CONTENT).hexdigest()
    status: int = 200
    breaks_after: int | None = None
    portal: bytes | None = None
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
            if served.portal is not None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(served.portal)))
                self.end_headers()
                self.wfile.write(served.portal)
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
    huggingface_hub.close_session()  # the client reads proxies and certificates when it is made
    yield served
    huggingface_hub.close_session()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def partial(hub, weights_folder) -> Path:
    """Where the download lies until it is whole."""
    return weights_folder / f".neco-small.ckpt.{hub.etag[:16]}.partial"


class Cancelled(Exception):
    pass


def cancel_at(size: int):
    def progress(done: int, total: int) -> None:
        if done >= size:
            raise Cancelled

    return progress


def test_the_whole_file_lands_in_the_folder_of_weights_and_is_found_without_network(hub, weights_folder, monkeypatch):
    steps = []
    path = fetch(WEIGHT, progress=lambda done, total: steps.append((done, total)))
    assert path == weights_folder / "neco-small.ckpt"
    assert path.read_bytes() == CONTENT
    assert steps[0] == (0, len(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert len(steps) > 3
    use_endpoint(monkeypatch, "http://localhost:1")
    assert fetch(WEIGHT) == find_local(WEIGHT) == path
    assert len(hub.starts) == 1
    assert stated_sha256(path) == hub.etag
    assert {other.name for other in weights_folder.glob("[!.]*")} == {path.name, f"{path.name}.sha256"}


def test_cancelled_downloads_go_on_where_they_stopped(hub, partial):
    with pytest.raises(Cancelled):
        fetch(WEIGHT, progress=cancel_at(2_000_000))
    kept = partial.stat().st_size
    assert 2_000_000 <= kept < len(CONTENT)
    assert find_local(WEIGHT) is None
    assert fetch(WEIGHT).read_bytes() == CONTENT
    assert hub.starts == [0, kept]
    assert not partial.exists()


def test_a_new_version_on_the_hub_starts_anew_and_takes_the_old_part_away(hub, weights_folder):
    old = weights_folder / ".neco-small.ckpt.0123456789abcdef.partial"
    old.write_bytes(bytes(1000))
    assert fetch(WEIGHT).read_bytes() == CONTENT
    assert hub.starts == [0]
    assert not old.exists()


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


def test_a_portal_s_page_is_not_taken_for_the_file(hub, partial):
    hub.portal = b"<html>please log in</html>"
    with pytest.raises(BackboneError, match="was answered with something else"):
        fetch(WEIGHT)
    assert not partial.exists()
    hub.portal = None
    assert fetch(WEIGHT).read_bytes() == CONTENT


def test_damaged_content_is_discarded(hub, partial):
    hub.content = b"x" + CONTENT[1:]
    with pytest.raises(BackboneError, match="arrived damaged and was discarded"):
        fetch(WEIGHT)
    assert not partial.exists()
    assert find_local(WEIGHT) is None
    hub.content = CONTENT
    assert fetch(WEIGHT).read_bytes() == CONTENT


def test_a_partial_file_of_other_content_is_noticed(hub, partial):
    partial.write_bytes(bytes(1000))
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
        if path.suffix == ".partial":
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


def test_copies_in_the_hub_s_cache_are_used_and_their_hash_is_compared(hub, tmp_path):
    """The hub's client names content by its SHA-256 and links to it."""
    cache = tmp_path / "hub" / "models--FunAILab--NeCo"
    blob, link = cache / "blobs" / hub.etag, cache / "snapshots" / ("a" * 40) / WEIGHT.origin.file
    for path in (blob, link, cache / "refs" / "main"):
        path.parent.mkdir(parents=True, exist_ok=True)
    (cache / "refs" / "main").write_text("a" * 40)
    link.symlink_to(blob)
    blob.write_bytes(CONTENT)
    assert fetch(WEIGHT) == link
    assert hub.questions == 0
    assert stated_sha256(link) == hub.etag
    blob.write_bytes(CONTENT[:2_000_000] + bytes(400_000) + CONTENT[2_400_000:])
    with pytest.raises(BackboneError, match=r"is damaged \(its SHA-256 begins with .*download it again"):
        load_backbone("neco-small")


def test_a_download_that_was_damaged_later_is_noticed(hub, weights_folder):
    path = fetch(WEIGHT)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(BackboneError, match="is damaged"):
        load_backbone("neco-small")
    path.unlink()
    assert fetch(WEIGHT).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:9", "ALL_PROXY is set to 'socks://127.0.0.1:9', which is read as no protocol"),
        ("all_proxy", "socks5://127.0.0.1:9", "all_proxy is set to .* pip install socksio"),
        ("HTTP_PROXY", "http://127.0.0.1:1", r"through the proxy that HTTP_PROXY names \('http://127.0.0.1:1'\)"),
        ("http_proxy", "127.0.0.1:1", "through the proxy that http_proxy names"),
        ("ALL_PROXY", "http://ann:secret@127.0.0.1:1", r"ALL_PROXY names \('http://\.\.\.@127"),
        ("HTTPS_PROXY", "http://host:port", "HTTPS_PROXY is set to 'http://host:port', which is not the address"),
        ("HTTP_PROXY", "ftp://host", "HTTP_PROXY is set to 'ftp://host', which is not the address"),
        ("SSL_CERT_FILE", "/nowhere.pem", "SSL_CERT_FILE is set to '/nowhere.pem', which does not exist"),
        ("SSL_CERT_FILE", __file__, "its certificate is not among those in SSL_CERT_FILE="),
    ],
)
def test_the_setting_at_fault_is_named(hub, monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    with pytest.raises(BackboneError, match=f"is not on this machine and the hub cannot be reached.*{words}") as caught:
        fetch(WEIGHT)
    assert "secret" not in str(caught.value)
    assert "on another machine and save it as" in str(caught.value)


def test_proxies_that_are_not_meant_for_the_hub_are_not_blamed(hub, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert fetch(WEIGHT).read_bytes() == CONTENT


@pytest.mark.parametrize("address", ["http://[bad", "http://host:port", "nonsense", ""])
def test_an_endpoint_that_is_no_address_is_named(hub, monkeypatch, address):
    use_endpoint(monkeypatch, address)
    with pytest.raises(BackboneError, match=r"its address .* is not one \(see HF_ENDPOINT\)"):
        fetch(WEIGHT)


def test_an_endpoint_that_keeps_the_client_from_being_imported_is_named(weights_folder):
    program = """
import patchfield as pf
print(len(pf.models()), pf.load_backbone("filters").name)
try:
    pf.load_backbone("dinov2-small")
except pf.PatchfieldError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"HF_ENDPOINT": "http://[bad"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "filters" in done.stdout
    assert "its address 'http://[bad' is not one (see HF_ENDPOINT)" in done.stdout


def test_certificates_that_are_not_trusted_are_named(monkeypatch):
    """As the HTTP library raises it: its own error, from the one of the TLS library."""
    error = ConnectionError()
    error.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate in chain")
    assert "certificate is not trusted" in reason(error, "https://huggingface.co/x")
    assert "set SSL_CERT_FILE to it" in reason(error, "https://huggingface.co/x")
    monkeypatch.setenv("SSL_CERT_FILE", "/lab/ca.pem")
    assert "not among those in SSL_CERT_FILE='/lab/ca.pem'" in reason(error, "https://huggingface.co/x")
