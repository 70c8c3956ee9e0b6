"""Load on `emohead serve`: many callers at once, good, bad, too large, gone in the middle.

Usage: python script/load_test.py [--clients 50] [--requests 6] [--rounds 3] [--json FILE]

Starts a service on loopback with the real networks (or --bundle), lets every client send its
requests in every round, waits until the service rests, and looks at its memory, descriptors and
threads. In the end it is stopped by SIGTERM, and every render that was accepted must be recorded
once. Exit code 1 where anything is not as it should be.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from emohead.audio import read_audio
from emohead.bench.machine import describe_machine
from emohead.client import Client, ServiceError
from emohead.jobs import read_records
from emohead.provenance.verifying import verify_video
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

UPLOAD_MB = 8
PATIENCE_S = 1800
SPARE_DESCRIPTORS = 8
"""Connections that the service keeps open for a while, and files of the moment."""


@dataclass
class Caller:
    """One client: what it asks for, and what came of it."""

    url: str
    folder: Path
    random: random.Random
    accepted: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def act(self, kind: str) -> None:
        """Do one thing of the mix; anything but the answer it deserves is a fault."""
        try:
            outcome = getattr(self, kind)()
        except (ServiceError, httpx.HTTPError, OSError) as err:
            outcome = f"{type(err).__name__}: {err}"
            self.faults.append(f"{kind}: {outcome}")
            outcome = "fault"
        self.counts[f"{kind}: {outcome}"] += 1

    def post(self, wanted: tuple[int, ...], **parts: Any) -> int:
        """Ask for a render; 503 is always allowed, for the queue is bounded."""
        with httpx.Client(timeout=120) as http:
            answer = http.post(f"{self.url}/v1/renders", **parts)
        if answer.status_code == 202:
            self.accepted.append(answer.json()["id"])
        if answer.status_code not in (*wanted, 503):
            self.faults.append(f"{answer.status_code}: {answer.text[:200]}")
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.faults.append("503 without Retry-After")
        return answer.status_code

    def files(self, face: bytes | None = None, speech: bytes | None = None) -> dict[str, Any]:
        """Make the parts of a form."""
        return {
            "face": ("face.jpg", face or SAMPLE_FACE.read_bytes()),
            "speech": ("voice.wav", speech or (self.folder / "voice.wav").read_bytes()),
        }

    def good(self) -> int:
        """Ask for a video."""
        data = {"emotion": "happy", "seed": str(self.random.randrange(1000))}
        return self.post((202,), files=self.files(), data=data)

    def watched(self) -> str:
        """Ask, watch to the end, fetch, check, and forget."""
        with Client(self.url, timeout_s=600) as client:
            try:
                render = client.submit(SAMPLE_FACE, self.folder / "voice.wav", strength=0.5)
            except ServiceError:
                return "busy"
            self.accepted.append(render.id)
            client.wait(render.id)
            path = client.download(render.id, self.folder / f"{render.id}.mp4")
            if not verify_video(path).is_intact:
                self.faults.append(f"{render.id} is not intact")
            path.unlink()
            client.cancel(render.id)
            return "fetched"

    def field(self) -> int:
        """Ask for an emotion that there is not."""
        return self.post((422,), files=self.files(), data={"emotion": "nonsense"})

    def photo(self) -> int:
        """Send a photo that is none."""
        return self.post((202,), files=self.files(face=b"no picture" * 100))

    def sound(self) -> int:
        """Send a voice that is noise."""
        return self.post((202,), files=self.files(speech=os.urandom(5_000)))

    def missing(self) -> int:
        """Send no voice at all."""
        return self.post((422,), files={"face": SAMPLE_FACE.read_bytes()})

    def large(self) -> str:
        """Send more than is allowed, and say so at once."""
        try:
            return str(self.post((413,), files=self.files(speech=bytes((UPLOAD_MB + 4) * 10**6))))
        except httpx.TransportError:
            return "cut off"  # the service need not read to the end what it refuses

    def endless(self) -> str:
        """Send more than is allowed, without saying how much."""
        head = b'--x\r\nContent-Disposition: form-data; name="speech"; filename="a"\r\n\r\n'
        body = itertools.chain([head], itertools.repeat(bytes(100_000), (UPLOAD_MB + 4) * 10))
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        try:
            return str(self.post((413,), content=body, headers=kind))
        except httpx.TransportError:
            return "cut off"

    def gone(self) -> str:
        """Leave in the middle of an upload."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as raw:
            raw.sendall(
                f"POST /v1/renders HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500000\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
                'Content-Disposition: form-data; name="face"; filename="a"\r\n\r\n'.encode()
                + bytes(20_000)
            )
        return "left"

    def glance(self) -> str:
        """Ask, watch for a moment, and leave the stream of events."""
        if self.good() != 202:
            return "busy"
        address = f"{self.url}/v1/renders/{self.accepted[-1]}/events"
        with httpx.stream("GET", address, timeout=60) as answer:
            next(answer.iter_lines())
        return "left"

    def cancelled(self) -> int:
        """Ask, and think better of it."""
        if self.good() != 202:
            return 503
        return httpx.delete(f"{self.url}/v1/renders/{self.accepted[-1]}", timeout=60).status_code

    def unknown(self) -> int:
        """Look for what never was."""
        answer = httpx.get(f"{self.url}/v1/renders/{'0' * 32}", timeout=60)
        if answer.status_code != 404:
            self.faults.append(f"unknown: {answer.status_code}")
        return answer.status_code

    def live(self) -> str:
        """Speak for a moment; every other caller leaves without a word."""
        voice = read_audio(self.folder / "voice.wav").samples
        try:
            with Client(self.url) as client, client.live(SAMPLE_FACE, emotion="calm") as live:
                live.push(voice)
                if self.random.random() < 0.5:
                    return "left"
                live.stop()
                heard = sum(len(m.payload) // 2 for m in live if m.kind == "pcm16")
        except ServiceError as err:
            return type(err).__name__
        if heard != len(voice):
            self.faults.append(f"live: {heard} of {len(voice)} samples came back")
        return "heard"


KINDS = {
    "good": 3,
    "watched": 2,
    "field": 2,
    "photo": 1,
    "sound": 1,
    "missing": 1,
    "large": 1,
    "endless": 1,
    "gone": 2,
    "glance": 1,
    "cancelled": 2,
    "unknown": 1,
    "live": 1,
}
"""What callers do, and how often."""


def main() -> int:
    """Run the load, print what happened, and judge it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tracks", type=int, default=2)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        report = _run(given, Path(name))
    text = json.dumps(report, indent=1)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n")
    return 1 if report["faults"] else 0


def _run(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    _write_voice(folder / "voice.wav")
    process, url = _serve(given, folder)
    callers: list[Caller] = []
    try:
        states = [_state(process.pid)]
        began = time.monotonic()
        for number in range(given.rounds):
            callers += _round(given, url, folder, number)
            _until_it_rests(url)
            states.append(_state(process.pid))
        seconds = time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        exit_code = process.wait(120)
    faults = [fault for caller in callers for fault in caller.faults]
    accepted = [render for caller in callers for render in caller.accepted]
    recorded = Counter(r.output for r in read_records(folder / "data" / "records.jsonl"))
    faults += [f"{r} was recorded {recorded[r]} times" for r in accepted if recorded[r] != 1]
    faults += _judged(states, exit_code)
    counts = sum((caller.counts for caller in callers), Counter())
    ended = Counter(r.status for r in read_records(folder / "data" / "records.jsonl"))
    return {
        "machine": describe_machine().model_dump(mode="json"),
        "clients": given.clients,
        "requests": sum(counts.values()),
        "accepted": len(accepted),
        "recorded": dict(ended),
        "seconds": round(seconds, 1),
        "outcomes": dict(sorted(counts.items())),
        "service": states,
        "exit_code": exit_code,
        "faults": faults,
    }


def _write_voice(path: Path) -> None:
    import av

    samples = (read_audio(SAMPLE_SPEECH).samples[16_000:19_200] * 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _serve(given: argparse.Namespace, folder: Path) -> tuple[subprocess.Popen[str], str]:
    options = {
        "--port": 0,
        "--data-dir": folder / "data",
        "--max-upload-mb": UPLOAD_MB,
        "--rate": 0,
        "--tracks": given.tracks,
        "--keep": 100_000,
    } | ({} if given.bundle is None else {"--bundle": given.bundle})
    words = [str(word) for pair in options.items() for word in pair]
    command = [sys.executable, "-m", "emohead", "serve", "--json", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    return process, url


def _round(given: argparse.Namespace, url: str, folder: Path, number: int) -> list[Caller]:
    kinds, weights = list(KINDS), list(KINDS.values())
    callers = [Caller(url, folder, random.Random(number * 1000 + i)) for i in range(given.clients)]
    barrier = threading.Barrier(given.clients)

    def run(caller: Caller) -> None:
        # Every kind comes up once a round, whatever the seeds draw.
        first = kinds[callers.index(caller) % len(kinds)]
        barrier.wait()
        for kind in [first, *caller.random.choices(kinds, weights, k=given.requests - 1)]:
            caller.act(kind)

    with ThreadPoolExecutor(given.clients) as threads:
        list(threads.map(run, callers))
    return callers


def _until_it_rests(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        numbers = httpx.get(f"{url}/metrics", timeout=60).text
        names = ("emohead_renders_queued", "emohead_renders_running", "emohead_live_streams")
        if all(f"\n{name} 0.0\n" in numbers for name in names):
            time.sleep(3)  # connections of callers that left are being closed
            return
        time.sleep(0.5)
    raise SystemExit("the service does not come to rest")


def _state(pid: int) -> dict[str, float]:
    """Resident memory, descriptors and threads of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "rss_mb": round(int(found["VmRSS"].split()[0]) / 1024, 1),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(found["Threads"]),
    }


def _judged(states: list[dict[str, float]], exit_code: int) -> list[str]:
    """Compare the state after the last round with that after the first, which warms up."""
    first, last = states[1], states[-1]
    faults = [] if exit_code == 0 else [f"the service ended with {exit_code}"]
    if last["descriptors"] > states[0]["descriptors"] + SPARE_DESCRIPTORS:
        faults.append(
            f"descriptors: {states[0]['descriptors']} before, {last['descriptors']} after"
        )
    if last["rss_mb"] > first["rss_mb"] * 1.25:
        faults.append(f"memory: {first['rss_mb']} MB after one round, {last['rss_mb']} after all")
    return faults


if __name__ == "__main__":
    sys.exit(main())
