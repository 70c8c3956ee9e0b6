"""Live streams over a real WebSocket, with toy networks of the true contract."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from emohead.client import BusyError, Client, ConnectionLostError, Media, RefusedError
from emohead.errors import InputError
from emohead.head import TalkingHead
from emohead.samples import SAMPLE_FACE
from emohead.service import live_session
from emohead.service.live_protocol import pack, unpack
from emohead.service.settings import ServiceSettings

from .quick import QuickRenderer, Running, serving

SOUND = (np.sin(np.arange(6_400) / 9) * 8_000).astype(np.int16)


@pytest.fixture(scope="module")
def url(head: TalkingHead, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    chosen = ServiceSettings(data_dir=tmp_path_factory.mktemp("data"), rate=0, max_live=2)
    with serving(chosen, QuickRenderer(), head) as server:
        yield server.url


def _spoken(url: str, **how: object) -> list[Media]:
    with Client(url) as client, client.live(SAMPLE_FACE, emotion="calm", **how) as live:
        for piece in np.array_split(SOUND, 5):
            live.push(piece)
        live.stop()
        return list(live)


def test_stream_gives_the_frames_of_the_sdk(url: str, head: TalkingHead) -> None:
    media = _spoken(url, format="rgb", fps=25)
    pictures, sounds = media[::2], media[1::2]
    assert [m.kind for m in pictures] == ["rgb"] * 10
    assert [m.kind for m in sounds] == ["pcm16"] * 10
    assert b"".join(m.payload for m in sounds) == SOUND.astype("<i2").tobytes()
    assert [m.start for m in pictures] == [n * 640 for n in range(10)]
    assert [m.ends_speech for m in sounds] == [False] * 9 + [True]
    clip = head.animate(head.portrait(SAMPLE_FACE), (SOUND, 16_000), emotion="calm", fps=25)
    for picture, frame in zip(pictures, clip, strict=True):
        assert picture.payload == frame.tobytes()


def test_pictures_come_as_jpeg(url: str) -> None:
    media = _spoken(url)
    with Image.open(io.BytesIO(media[0].payload)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 256))


def test_stop_without_sound_ends(url: str) -> None:
    with Client(url) as client, client.live(SAMPLE_FACE) as live:
        assert live.ready["fps"] == 30
        assert abs(live.ready["base_s"] - time.time()) < 60
        live.stop()
        assert list(live) == []


def test_idle_pictures_come_by_the_clock(url: str) -> None:
    with Client(url) as client, client.live(SAMPLE_FACE, idle=True, fps=10) as live:
        frames = iter(live)
        first = [next(frames) for _ in range(6)]
        assert all(m.is_idle for m in first)
        live.stop()
        assert len(list(frames)) < 40


def test_interruption_forgets_what_waits(url: str) -> None:
    with Client(url) as client, client.live(SAMPLE_FACE) as live:
        live.push(SOUND)
        live.interrupt()
        live.push(SOUND[:1600])
        live.stop()
        heard = sum(len(m.payload) // 2 for m in live if m.kind == "pcm16" and not m.is_idle)
    assert heard < len(SOUND)


@pytest.mark.parametrize(
    ("first", "photo", "message"),
    [
        ("{", b"x", "message `start` cannot be used"),
        ('{"type": "flush"}', b"x", "message `start` cannot be used"),
        ('{"type": "start", "fps": 1000}', b"x", "fps"),
        (b"binary", b"x", "as text, got a binary one"),
        ('{"type": "start"}', b"no picture", "the photo cannot be read as an image"),
        ('{"type": "start"}', "text", "as a binary message, got text"),
        ('{"type": "start", "emotion": "hapy"}', SAMPLE_FACE.read_bytes(), "did you mean"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    url: str, first: str | bytes, photo: str | bytes, message: str
) -> None:
    with connect(url.replace("http", "ws") + "/v1/live") as socket:
        socket.send(first)
        with contextlib.suppress(ConnectionClosed):  # the first message may have ended it
            socket.send(photo)
        answer = json.loads(socket.recv())
        assert answer["type"] == "error"
        assert message in answer["error"]["message"]
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
        assert closed.value.rcvd.code == live_session.CLOSE_REFUSED


def test_odd_sound_and_unknown_commands_end_the_stream(url: str) -> None:
    with Client(url) as client:
        with client.live(SAMPLE_FACE) as live, pytest.raises(RefusedError, match="whole samples"):
            live.push(b"odd")
            list(live)
        with client.live(SAMPLE_FACE) as live, pytest.raises(RefusedError, match="a command among"):
            live._command("sing")
            list(live)


def test_streams_are_counted_and_come_free_again(url: str) -> None:
    with Client(url) as client:
        full = pytest.raises(BusyError, match="no more live streams")
        with client.live(SAMPLE_FACE), client.live(SAMPLE_FACE), full:
            client.live(SAMPLE_FACE)
        for _ in range(200):
            try:
                client.live(SAMPLE_FACE).close()
                break
            except BusyError:
                time.sleep(0.02)
        else:
            pytest.fail("the streams that ended are still counted")


def test_silent_callers_are_let_go(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "SILENT_S", 0.2)
    let_go = pytest.raises(RefusedError, match="silent or open too long")
    with Client(url) as client, client.live(SAMPLE_FACE) as live, let_go:
        list(live)


def test_other_sites_cannot_open_a_stream(url: str) -> None:
    with pytest.raises(InvalidStatus):
        connect(url.replace("http", "ws") + "/v1/live", origin="http://evil.example")


def test_key_is_asked_for(start: Callable[..., Running], head: TalkingHead) -> None:
    key = "a-key-that-is-long-enough"
    url = start(head=head, api_key=key).url
    with Client(url, api_key=key) as client, client.live(SAMPLE_FACE) as live:
        assert live.ready["type"] == "ready"
    with Client(url) as client, pytest.raises(RefusedError, match="expected the API key"):
        client.live(SAMPLE_FACE)


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(ConnectionLostError, match="is `emohead serve` running"):
            client.live(SAMPLE_FACE)
        with pytest.raises(ConnectionLostError, match="is `emohead serve` running"):
            client.submit(SAMPLE_FACE, SAMPLE_FACE)


def test_messages_are_read_as_they_were_written() -> None:
    media = Media(
        kind="pcm16", index=7, start=1 << 40, is_idle=True, ends_speech=True, payload=b"ab"
    )
    assert unpack(pack(media)) == media
    with pytest.raises(ValueError, match="at least 16 bytes"):
        unpack(b"short")
    with pytest.raises(ValueError, match="a kind among"):
        unpack(bytes(16))


def test_callers_without_the_key_take_no_stream(
    start: Callable[..., Running], head: TalkingHead
) -> None:
    key = "a-key-that-is-long-enough"
    url = start(head=head, api_key=key, max_live=1).url
    silent = connect(url.replace("http", "ws") + "/v1/live")
    with silent, Client(url, api_key=key) as client, client.live(SAMPLE_FACE) as live:
        assert live.ready["type"] == "ready"


def test_reason_is_told_although_media_came_before_it() -> None:
    """Nobody iterates: what the service had sent waits before the sentence that it ended with."""
    sound = Media(kind="pcm16", index=0, start=0, is_idle=False, ends_speech=False, payload=b"ab")

    def ends_at_once(socket: ServerConnection) -> None:
        socket.recv(), socket.recv()
        socket.send('{"type": "ready"}')
        for _ in range(3):
            socket.send(pack(sound))
        socket.send('{"type": "error", "error": {"type": "InputError", "message": "too odd"}}')
        socket.close(live_session.CLOSE_REFUSED)

    with serve(ends_at_once, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        refused = pytest.raises(RefusedError, match="too odd")
        with Client(url) as client, client.live(SAMPLE_FACE) as live, refused:
            for _ in range(500):
                live.push(b"ab")
                time.sleep(0.01)
        server.shutdown()
        thread.join()


def test_settings_of_a_stream_are_checked_before_it_is_opened() -> None:
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(InputError, match="the stream's fps cannot be used"):
            client.live(SAMPLE_FACE, fps=0)
        with pytest.raises(InputError, match="the stream's tempo cannot be used"):
            client.live(SAMPLE_FACE, tempo=1)
