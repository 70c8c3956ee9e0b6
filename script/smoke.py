"""The whole chain on a corpus made here: train every network, export, render, evaluate.

Usage: python script/smoke.py OUT [--faces auto|actors|rendered]. Needs no data set and no network,
but espeak-ng and flite (Debian: apt install espeak-ng flite). Prints what each step took; what it
trains is good for nothing else.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emohead import EmoheadError, InputError, TalkingHead
from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion import EMOTIONS
from emohead.images import read_image
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead_training.trainers import TRAINERS
from emohead_training.voice.synthesis import speak_with_espeak, speak_with_flite
from emohead_training.voice.texts import random_sentence

SPLITS: Final = ("train",) * 7 + ("val", "test", "test")
"""Sides of the people who speak."""
FACED: Final = (0, 1, 7, 8)
"""Those of them who are seen as well, where no digital actors are."""
SECONDS: Final = 1.1
"""Length of a recording; AutoVC's windows are 0.9 s."""
VARIANTS: Final = ("f1", "m1", "f2", "m2", "f3", "m3", "f4", "m4", "f5", "m5")
MOODS: Final = {
    "neutral": (150, 45, 30),
    "calm": (125, 40, 15),
    "happy": (185, 70, 90),
    "sad": (115, 30, 10),
    "angry": (200, 55, 99),
    "fearful": (220, 85, 60),
    "disgust": (135, 25, 60),
    "surprised": (190, 90, 99),
}
"""Words a minute, height and liveliness of a synthesised voice that plays each emotion."""
GOAL_SECONDS: Final = 600.0


class Steps:
    """Runs the steps, each in a program of its own where it has one, and keeps their times."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note the wall-clock and processor seconds of a step."""
        print(f"== {name}", flush=True)
        began, busy = time.monotonic(), _processor_seconds()
        yield
        self.seconds[name] = time.monotonic() - began, _processor_seconds() - busy

    def run(self, name: str, module: str, *arguments: str | Path) -> None:
        """Run a command line of this project; ends everything where it fails."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        with self.timed(name):
            result = subprocess.run(command, check=False)
        if result.returncode:
            raise InputError(f"the step {name} ended with status {result.returncode}, see above")

    def table(self) -> str:
        """Lines of wall-clock and processor seconds by step."""
        steps = {**self.seconds, "all": self.total()}
        rows = [f"{name:<28}{wall:8.1f}{busy:11.1f}" for name, (wall, busy) in steps.items()]
        return "\n".join([f"{'step':<28}{'seconds':>8}{'processor':>11}", *rows])

    def total(self) -> tuple[float, float]:
        """Wall-clock and processor seconds of all steps."""
        wall, busy = zip(*self.seconds.values(), strict=True)
        return sum(wall), sum(busy)


def _processor_seconds() -> float:
    """Of this program and of those that it has run."""
    spent = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(s.ru_utime + s.ru_stime for s in spent)


def record_voices(folder: Path) -> None:
    """Let ten synthesised speakers say a sentence in every emotion; write their labels."""
    rows = []
    for number, split in enumerate(SPLITS):
        person = f"speaker-{number:02d}"
        (folder / person).mkdir(parents=True, exist_ok=True)
        for emotion, samples in _moods(number):
            name = f"{person}/{emotion}.wav"
            _write_wav(folder / name, samples)
            rows.append({"file": name, "identity": person, "emotion": emotion, "split": split})
    _write_labels(folder, rows)


def _moods(number: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    chance = random.Random(number)
    for emotion in EMOTIONS:
        rate, pitch, spread = MOODS[emotion]
        voice = f"en-us+{VARIANTS[number]}"
        text = random_sentence(chance)
        spoken = speak_with_espeak(text, voice, rate=rate, pitch=pitch, spread=spread)
        yield emotion, np.resize(spoken.samples, round(SECONDS * SAMPLE_RATE_HZ))


def _write_wav(path: Path, samples: NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _write_labels(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("file", "identity", "emotion", "split"))
        writer.writeheader()
        writer.writerows(rows)


def film_faces(folder: Path) -> None:
    """Let the sample portrait, made up as several people, speak what some speakers said."""
    head = TalkingHead.load()
    photo = read_image(SAMPLE_FACE)
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number in FACED:
        person = f"speaker-{number:02d}"
        face = head.portrait(_made_up(photo, number))
        for row in [r for r in rows if r["identity"] == person]:
            sound = folder / row["file"]
            film = sound.with_suffix(".mp4")
            clip = head.animate(face, sound, emotion=row["emotion"], seed=number, full_frame=True)
            clip.save(film)
            sound.unlink()
            row["file"] = film.relative_to(folder).as_posix()
    _write_labels(folder, rows)


def _made_up(photo: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Another person of the same photo: other colours, and a narrower or wider face."""
    rng = np.random.default_rng(number)
    size = (round(photo.shape[1] * rng.uniform(0.9, 1.1)), photo.shape[0])
    shaped = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    coloured = shaped * rng.uniform(0.7, 1.15, 3) + rng.uniform(-15, 15, 3)
    return np.clip(coloured, 0, 255).astype(np.uint8)


def make_corpus(steps: Steps, out: Path, faces: str) -> Path:
    """Make voices and faces, and prepare them as a stranger would; returns the corpus's root."""
    data, footage = out / "data", out / "footage"
    if (data / "video.csv").is_file():
        return data
    speak_with_espeak("yes", "en-us")
    speak_with_flite("yes", "slt")
    done = footage / "done"
    if not done.is_file():
        with steps.timed("voices and faces"):
            record_voices(footage)
            if faces == "rendered":
                film_faces(footage)
        done.touch()
    prepare = ("prepare", "--out", data, "--corpus")
    if faces == "actors":
        size = ("--people", "10", "--clips-per-person", "2", "--seconds", str(SECONDS))
        steps.run("prepare digital-actors", "emohead_training", *prepare, "digital-actors", *size)
    steps.run("prepare folder", "emohead_training", *prepare, "folder", "--root", footage)
    return data


def run_chain(out: Path, faces: str) -> Steps:
    """Go through every step; those that are done already are not repeated."""
    steps = Steps()
    data, runs, bundle = make_corpus(steps, out, faces), out / "runs", out / "bundle"
    common = ("--recipe", "smoke", "--data", data, "--out", runs)
    for stage in TRAINERS:
        if not (runs / stage / "finished.json").is_file():
            steps.run(f"train {stage}", "emohead_training", stage, *common)
    steps.run("all: nothing is left to do", "emohead_training", "all", *common)
    steps.run("export", "emohead_export", "bundle", "--checkpoints", runs, "--out", bundle)
    box = ",".join(f"{v:.1f}" for v in TalkingHead.load().portrait(SAMPLE_FACE).box)
    clip = out / "clip.mp4"
    sample = (SAMPLE_FACE, SAMPLE_SPEECH, "-o", clip, "--bundle", bundle)
    # A detector of a minute need not find the face; the landmarker must do with what it learnt.
    steps.run("render", "emohead", "render", *sample, "--face-box", box, "--json")
    numbers = out / "quality.json"
    steps.run("evaluate", "emohead_training", "evaluate", bundle, "--data", data, "--json", numbers)
    check(clip, numbers)
    return steps


def check(clip: Path, numbers: Path) -> None:
    """Look at what came out: a film of the speech's length, and finite numbers."""
    film = cv2.VideoCapture(str(clip))
    frames = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
    quality = json.loads(numbers.read_text(encoding="utf-8"))
    measured = {k: v for k, v in quality.items() if isinstance(v, float)}
    if frames < 30 or not measured or not np.isfinite(list(measured.values())).all():
        raise InputError(
            f"expected a film and finite numbers, got {frames} frames and {measured}; "
            "look at what the steps printed"
        )
    print(f"{clip}: {frames} frames; {len(measured)} numbers in {numbers}")


def main() -> int:
    """Run everything; exit status 1 for one clear sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder to write; started again, it continues")
    parser.add_argument("--faces", choices=("auto", "actors", "rendered"), default="auto")
    options = parser.parse_args()
    faces = options.faces
    if faces == "auto":
        faces = "actors" if find_spec("anny") else "rendered"
    try:
        steps = run_chain(options.out, faces)
    except EmoheadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(steps.table())
    if steps.total()[0] > GOAL_SECONDS:
        print(f"slower than the {GOAL_SECONDS:.0f} s that two idle cores should take")
    return 0


if __name__ == "__main__":
    sys.exit(main())
