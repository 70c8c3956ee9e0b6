"""Keys, hosts, origins, rates and sizes, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from emohead.client import Client, RefusedError
from emohead.errors import InputError
from emohead.samples import SAMPLE_FACE
from emohead.service.guard import RateLimiter, key_is_right
from emohead.service.settings import ServiceSettings

from .quick import Running

KEY = "a-key-that-is-long-enough"


def test_other_addresses_need_a_key(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(InputError, match="can be reached by others: give an API key"):
            ServiceSettings(data_dir=tmp_path, host=host)
        assert ServiceSettings(data_dir=tmp_path, host=host, api_key=KEY).host == host
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        ServiceSettings(data_dir=tmp_path, host=host)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": "short"},
        {"api_key": "a key that no header can end with "},
        {"api_key": "schlüssel-schlüssel"},
        {"port": 70_000},
        {"queue": 0},
        {"tracks": 0},
        {"max_upload_mb": 0},
    ],
)
def test_senseless_settings_are_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(InputError, match="expected"):
        ServiceSettings(data_dir=tmp_path, **wrong)


def test_key_is_not_shown(tmp_path: Path) -> None:
    assert KEY not in repr(ServiceSettings(data_dir=tmp_path, api_key=KEY))


def test_keys_are_compared_whole() -> None:
    assert key_is_right(KEY, KEY)
    for wrong in ("", KEY[:-1], KEY + "x", KEY.upper(), "é"):
        assert not key_is_right(KEY, wrong)


def test_only_the_key_opens(start: Callable[..., Running]) -> None:
    url = start(api_key=KEY).url
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"X-API-Key": "x"}):
        answer = httpx.get(f"{url}/v1/renders", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
        assert httpx.get(f"{url}/v1/renders", headers=headers).status_code == 200
    assert httpx.get(f"{url}/metrics").status_code == 401
    assert httpx.get(f"{url}/openapi.json").status_code == 401
    assert httpx.get(f"{url}/health/ready").status_code == 200
    with Client(url, api_key=KEY) as client:
        assert list(client.renders()) == []
    with Client(url) as client, pytest.raises(RefusedError, match="expected the API key"):
        next(client.renders())


def test_pages_of_other_sites_are_refused(client: Client) -> None:
    for headers in (
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
        {"Origin": "null"},
    ):
        answer = httpx.get(f"{client.url}/v1/renders", headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "ForbiddenError")
    answer = httpx.get(f"{client.url}/v1/renders", headers={"Origin": client.url})
    assert answer.status_code == 200


def test_allowed_names_reach_the_service(start: Callable[..., Running]) -> None:
    url = start(allowed_hosts=("Box.example",)).url
    assert httpx.get(f"{url}/v1/renders", headers={"Host": "box.example:80"}).status_code == 200


def test_rate_is_limited_and_says_when_to_come_back(start: Callable[..., Running]) -> None:
    url = start(rate=5).url
    answers = [httpx.get(f"{url}/v1/renders") for _ in range(7)]
    assert [a.status_code for a in answers[:5]] == [200] * 5
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 13
    assert httpx.get(f"{url}/health/live").status_code == 200


def test_bucket_refills_and_remembers_few_callers() -> None:
    now = 0.0
    limiter = RateLimiter(60, clock=lambda: now)
    assert [limiter.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert limiter.wait_s("a") == pytest.approx(1.0)
    assert limiter.wait_s("b") == 0.0
    now = 1.0
    assert limiter.wait_s("a") == 0.0
    for i in range(20_000):
        limiter.wait_s(str(i))
    assert len(limiter._buckets) <= 10_000


def test_bodies_are_bounded_with_and_without_a_length(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    url = start(max_upload_mb=1).url
    files = {"face": SAMPLE_FACE.read_bytes(), "speech": bytes(2_000_000)}
    answer = httpx.post(f"{url}/v1/renders", files=files)
    assert (answer.status_code, "larger than 1 MB" in answer.text) == (413, True)
    request = httpx.Request("POST", f"{url}/v1/renders", files=files)
    body = request.read()

    def pieces():
        for begin in range(0, len(body), 50_000):
            yield body[begin : begin + 50_000]

    kind = {"Content-Type": request.headers["content-type"]}
    answer = httpx.post(f"{url}/v1/renders", content=pieces(), headers=kind)
    assert (answer.status_code, "larger than 1 MB" in answer.text) == (413, True)
    assert list((tmp_path / "data" / "renders").iterdir()) == []


def test_broken_forms_are_refused(client: Client) -> None:
    half = b'--x\r\nContent-Disposition: form-data; name="face"\r\n\r\nabc'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\n", half):
        answer = httpx.post(f"{client.url}/v1/renders", content=body, headers=kind)
        assert answer.status_code in (400, 422)
        assert answer.json()["error"]["message"]


def test_callers_who_leave_in_the_middle_do_no_harm(client: Client, tmp_path: Path) -> None:
    host, port = client.url.removeprefix("http://").split(":")
    for cut in (b"POST /v1/renders HTTP/1.1\r\n", b"\r\n", b"\r\n--x\r\nContent-Disposition: fo"):
        head = b"Host: 127.0.0.1\r\nContent-Length: 5000\r\n"
        head += b"Content-Type: multipart/form-data; boundary=x\r\n"
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"POST /v1/renders HTTP/1.1\r\n" + head + cut)
    assert list(client.renders()) == []
    assert list((tmp_path / "data" / "renders").iterdir()) == []


def test_unknown_places_and_methods_answer_in_the_same_shape(client: Client) -> None:
    assert httpx.get(f"{client.url}/v2").json()["error"]["type"] == "NotFoundError"
    answer = httpx.put(f"{client.url}/v1/renders")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "POST"}


def test_numbers_count_what_happened(client: Client, voice: Path) -> None:
    client.wait(client.submit(SAMPLE_FACE, voice).id)
    text = httpx.get(f"{client.url}/metrics").text
    assert 'emohead_renders_total{state="done"} 1.0' in text
    assert 'emohead_requests_total{method="POST",route="/v1/renders",status="202"} 1.0' in text
    assert "emohead_frames_total 3.0" in text
    assert "emohead_renders_running 0.0" in text


def test_one_folder_serves_one_service(start: Callable[..., Running], tmp_path: Path) -> None:
    start()
    with pytest.raises(InputError, match="another service uses the folder"):
        start()


def test_killed_service_marks_its_renders_interrupted(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    from emohead.service.schema import Render

    render_id = "0" * 32
    folder = tmp_path / "data" / "renders" / render_id
    folder.mkdir(parents=True)
    left = Render(id=render_id, state="running", created="2026-01-01T00:00:00+00:00")
    (folder / "render.json").write_text(left.model_dump_json())
    (folder / "video.mp4").write_bytes(b"half")
    (tmp_path / "data" / "renders" / ("1" * 32)).mkdir()  # killed while it was uploaded
    with Client(start().url) as client:
        (found,) = client.renders()
    assert (found.id, found.state) == (render_id, "interrupted")
    assert [p.name for p in folder.iterdir()] == ["render.json"]
    assert (tmp_path / "data" / "records.jsonl").read_text().count(render_id) == 2
