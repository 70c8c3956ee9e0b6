"""Killed, forked, threaded, out of space: a video is whole or absent, and frames are the same."""

import json
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emohead import Portrait, TalkingHead
from emohead.samples import SAMPLE_FACE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, limits and forks of POSIX")

ROOT = Path(__file__).parents[2]
SPEECH = (np.random.default_rng(0).normal(0, 0.1, 4800).astype(np.float32), 16_000)


@pytest.fixture(scope="module")
def head() -> TalkingHead:
    return TalkingHead.load()


@pytest.fixture(scope="module")
def face(head: TalkingHead) -> Portrait:
    return head.portrait(SAMPLE_FACE)


def frames(head: TalkingHead, face: Portrait) -> np.ndarray:
    return np.stack(list(head.animate(face, SPEECH, emotion="happy")))


@pytest.mark.slow
def test_killed_renders_leave_whole_videos_or_none(tmp_path: Path) -> None:
    command = [sys.executable, "script/kill_renders.py", "--count", "2", "--out", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(result.stdout)
    assert found["killed"] + found["finished"] == found["whole"] + found["absent"] == 2


@pytest.mark.slow
def test_full_disk_gives_a_sentence_and_no_file(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    sound = tmp_path / "speech.wav"
    soundfile.write(sound, SPEECH[0], SPEECH[1])
    command = [sys.executable, "-B", "-m", "emohead", "render", SAMPLE_FACE, sound]
    result = subprocess.run(
        [*map(str, command), "-o", "out.mp4"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.strip().endswith("check the free space of the disk and try again")
    assert len(result.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [sound]


def test_threads_share_a_head(head: TalkingHead, face: Portrait) -> None:
    alone = frames(head, face)
    with ThreadPoolExecutor(3) as pool:
        for own in pool.map(lambda _: frames(head, face), range(3)):
            np.testing.assert_array_equal(own, alone)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_renders_the_same(
    head: TalkingHead, face: Portrait, tmp_path: Path
) -> None:
    alone = frames(head, face)
    child = get_context("fork").Process(target=_save, args=(head, face, tmp_path / "frames.npy"))
    child.start()
    child.join(60)
    hangs = child.is_alive()
    child.kill()
    assert not hangs
    np.testing.assert_array_equal(np.load(tmp_path / "frames.npy"), alone)


def _save(head: TalkingHead, face: Portrait, path: Path) -> None:
    np.save(path, frames(head, face))


@pytest.mark.slow
def test_a_spawned_process_renders_the_same(
    head: TalkingHead, face: Portrait, tmp_path: Path
) -> None:
    script = (
        "import sys, numpy as np; from emohead import TalkingHead;"
        "from emohead.samples import SAMPLE_FACE; head = TalkingHead.load();"
        "speech = (np.random.default_rng(0).normal(0, 0.1, 4800).astype(np.float32), 16_000);"
        "clip = head.animate(head.portrait(SAMPLE_FACE), speech, emotion='happy');"
        "np.save(sys.argv[1], np.stack(list(clip)))"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "frames.npy")], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "frames.npy"), frames(head, face))
