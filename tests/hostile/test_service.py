"""Requests meant to break the service: always an answer below 500, in the shape of all errors."""

from __future__ import annotations

import errno
import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi")

import httpx

from emohead.samples import SAMPLE_FACE
from emohead.service.live_protocol import read_command, unpack
from emohead.service.settings import ServiceSettings

from ..sdk.service.quick import QuickRenderer, Running, serving
from .generator import cases
from .seeds import seeds

# Starlette leaves the closing of an upload that was cut off to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

RENDERS = "/v1/renders"
EACH = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[Running]:
    chosen = ServiceSettings(data_dir=data, rate=0, max_upload_mb=2, queue=1000)
    with serving(chosen, QuickRenderer(), None) as running:
        yield running


@contextmanager
def closed_line() -> Iterator[None]:
    """Bear that the other side has closed the line."""
    try:
        yield
    except OSError as err:
        if err.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
            raise


def raw(server: Running, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are; status and body of the answer, 0 where the line is just closed."""
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        parts = []
        try:
            # The service may hang up in the middle; only silence is a failure.
            with closed_line():
                line.sendall(request)
                line.shutdown(socket.SHUT_WR)
            with closed_line():
                while part := line.recv(65_536):
                    parts.append(part)
        except TimeoutError as err:
            raise AssertionError("the service does not answer") from err
    answer = b"".join(parts)
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]) if head else 0), body


def expect_refusal(status: int, body: bytes) -> None:
    assert status == 0 or 400 <= status < 500, body
    if body.startswith(b"{"):
        error = json.loads(body)["error"]
        assert error["message"]
        assert "Traceback" not in error["message"]


HOST = b"Host: 127.0.0.1\r\n"
REQUESTS = {
    "words": b"these are words\r\n\r\n",
    "noise": bytes(range(256)),
    "an endless line": b"GET /" + b"a" * 200_000,
    "an unknown method": b"STEAL " + RENDERS.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that leads up": b"GET /v1/renders/../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "an encoded path that leads up": (
        b"GET /v1/renders/%2e%2e%2f%2e%2e%2fetc HTTP/1.1\r\n" + HOST + b"\r\n"
    ),
    "an odd origin": b"GET /v1/renders HTTP/1.1\r\n" + HOST + b"Origin: http://[\r\n\r\n",
    "an odd host": b"GET /v1/renders HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "another host": b"GET /v1/renders HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a null origin": b"GET /v1/renders HTTP/1.1\r\n" + HOST + b"Origin: null\r\n\r\n",
    "a huge length": (
        b"POST /v1/renders HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n"
    ),
    "a negative length": b"POST /v1/renders HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "two lengths": (
        b"POST /v1/renders HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    ),
    "length and chunks": (
        b"POST /v1/renders HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
    "a limit that is no number": b"GET /v1/renders?limit=many HTTP/1.1\r\n" + HOST + b"\r\n",
    "a page that is none": b"GET /v1/renders?after=%00 HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
def test_odd_requests_are_refused(server: Running, request_bytes: bytes) -> None:
    expect_refusal(*raw(server, request_bytes))


def _form(content_type: str, body: bytes) -> bytes:
    head = f"POST {RENDERS} HTTP/1.1\r\nContent-Type: {content_type}\r\n".encode() + HOST
    return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="face"; filename="a"\r\n\r\n'
FORMS = {
    "no form": _form("application/json", b"{}"),
    "JSON that never ends": _form("application/json", b"[" * 100_000),
    "no boundary": _form("multipart/form-data", b"--x--"),
    "a boundary that never comes": _form(MULTIPART, b"a" * 5_000),
    "a part that never ends": _form(MULTIPART, PART + b"a" * 5_000),
    "a part without a name": _form(MULTIPART, b"--x\r\nContent-Disposition: form-data\r\n\r\na"),
    "5,000 parts": _form(MULTIPART, PART.join([b"a\r\n"] * 5_000) + b"--x--"),
    "a header of 100 kB": _form(MULTIPART, b"--x\r\nA: " + b"a" * 100_000),
    "a file name that leads up": _form(
        MULTIPART, PART.replace(b'"a"', b'"../../a"') + b"a\r\n--x--\r\n"
    ),
    "3 MB": _form(MULTIPART, PART + bytes(3_000_000)),
    "an urlencoded form": _form("application/x-www-form-urlencoded", b"face=%ff&speech=" * 3_000),
}


@pytest.mark.parametrize("request_bytes", FORMS.values(), ids=FORMS)
def test_odd_forms_are_refused_and_leave_nothing(
    server: Running, data: Path, request_bytes: bytes
) -> None:
    expect_refusal(*raw(server, request_bytes))
    assert list((data / "renders").iterdir()) == []


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    body=st.binary(max_size=400),
    cut=st.integers(0, 300),
    content_type=st.sampled_from(
        [
            MULTIPART,
            "multipart/form-data; boundary=",
            "application/json",
            "text/plain; charset=utf-7",
        ]
    ),
)
def test_any_body_is_refused(server: Running, body: bytes, cut: int, content_type: str) -> None:
    expect_refusal(*raw(server, _form(content_type, (PART + PART)[:cut] + body)))


def _fields(**changes: Any) -> dict[str, Any]:
    return {"seed": "1", **changes}


@pytest.mark.parametrize(
    "fields",
    [
        _fields(fps="1e9"),
        _fields(strength="nan"),
        _fields(strength="inf"),
        _fields(seed="9" * 400),
        _fields(emotion="[" * 5_000),
        _fields(emotion="{" + '"a":{' * 1_600),
        _fields(emotion='{"happy": NaN}'),
        _fields(emotion="x" * 20_000),
        _fields(face_box="1,2,3"),
        _fields(face_box="1e99,1,1,1"),
        _fields(output="../a.mp4"),
        _fields(emotion_fit="tear"),
        _fields(surprise="1"),
    ],
)
def test_odd_fields_are_refused(server: Running, data: Path, fields: dict[str, str]) -> None:
    files = {"face": SAMPLE_FACE.read_bytes()[:100], "speech": b"RIFF"}
    answer = httpx.post(server.url + RENDERS, data=fields, files=files)
    assert answer.status_code == 422, answer.text
    assert len(answer.text) < 6_000
    assert list((data / "renders").iterdir()) == []


def test_bad_files_become_renders_that_failed_with_a_sentence(server: Running) -> None:
    """Uploads are taken in at once; what is wrong with them is told by the render."""
    bad = [c for c in cases() if c.boundary in ("image", "audio") and not c.may_pass]
    chosen = bad[:: len(bad) // (2 * EACH)]
    good = {"face": SAMPLE_FACE.read_bytes(), "speech": seeds()["audio"][0]}
    with httpx.Client(base_url=server.url) as client:
        for case in chosen:
            field = "face" if case.boundary == "image" else "speech"
            content = _content(case)
            if len(content) > 1_000_000:
                continue
            answer = client.post(RENDERS, files={**good, field: content})
            assert answer.status_code == 202, case.name
            address = answer.headers["location"]
            while (render := client.get(address).json())["state"] in ("queued", "running"):
                pass
            assert render["state"] == "failed", case.name
            assert render["error"]["type"] == "InputError", case.name
            assert "/" not in render["error"]["message"].partition("cannot")[0], case.name
            assert client.delete(address).status_code == 204


def _content(case: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return bytes(case.make(Path(folder)).read_bytes())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=64))
def test_any_message_of_a_live_stream_is_read_or_refused(message: bytes) -> None:
    for reader in (unpack, lambda m: read_command(m.decode("utf-8", "replace"))):
        with suppress(ValueError):  # pydantic's is one, too
            reader(message)
