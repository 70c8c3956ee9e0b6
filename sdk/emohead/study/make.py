"""Laying out a study: clips under opaque names, one static page, and the key beside it.

The page needs no server and no network. Not here: who sees what (``design.py``), the page's own
text and script (``page.html``, ``page.css``, ``page.js``).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from emohead.errors import EmoheadError, InputError
from emohead.images import read_image
from emohead.media import open_media, reason_of
from emohead.study.design import Screen, plan_screens
from emohead.study.schema import QUESTIONS, Check, Clip, Key
from emohead.study.sources import Material
from emohead.whole_files import whole_file

__all__ = ["StudyPlan", "make_study"]

_FOLDER: Final = Path(__file__).resolve().parent
_MARKS: Final = {"/*STYLE*/": "page.css", "/*SCRIPT*/": "page.js"}
_DATA_MARK: Final = "/*STUDY*/"
_NAME_BYTES: Final = 6
PHOTO_PX: Final = 512
"""Longest side of a photo on the page."""


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """How a study is laid out."""

    title: str = "Rating talking faces"
    """Heading of the page."""
    num_participants: int = 24
    """For how many people orders are planned."""
    num_checks: int = 0
    """Attention checks that each participant meets."""
    seed: int = 0
    """Of orders and opaque names."""

    def __post_init__(self) -> None:
        if self.num_participants < 1:
            raise InputError(f"expected at least one participant, got {self.num_participants}")
        if self.num_checks < 0 or self.seed < 0:
            raise InputError("expected a number of checks and a seed of 0 or more")


def make_study(material: Material, plan: StudyPlan, out: Path, key_path: Path) -> Key:
    """Write a study.

    Parameters
    ----------
    material : Material
        What is compared.
    plan : StudyPlan
    out : Path
        Folder of the page, which must not exist or be empty; it appears whole or not at all.
    key_path : Path
        Where the key goes; outside of `out`, for the page's folder is given away.

    Returns
    -------
    Key
        What was written to `key_path`.

    Raises
    ------
    InputError
        Places that cannot be used, or clips and photos that cannot be read.
    """
    _check_places(out, key_path)
    names = _OpaqueNames(plan.seed)
    sets = {name: names.new() for name in material.sets}
    clips = {pair: names.new() for pair in sorted(material.clips)}
    checks = {
        names.new(): names.check(person + 1)
        for person in range(plan.num_participants)
        for _ in range(plan.num_checks)
    }
    key = Key(
        study=names.new(),
        num_participants=plan.num_participants,
        seed=plan.seed,
        clips={token: Clip(method=m, set=s) for (m, s), token in clips.items()},
        sets={token: name for name, token in sets.items()},
        checks=checks,
    )
    place = out.resolve()  # "." has no name of its own
    unfinished = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    try:
        files = _copy(material, sets, clips, unfinished)
        data = {
            "study": key.study,
            "title": plan.title,
            "questions": QUESTIONS,
            "files": files,
            "participants": _way_of_everybody(material, plan, sets, clips, key),
        }
        (unfinished / "index.html").write_text(_page(data), encoding="utf-8")
        _publish(unfinished, place, key, key_path)
    except OSError as err:
        raise InputError(f"the study cannot be written ({err}): choose another place") from err
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return key


class _OpaqueNames:
    """Seeded names that tell nothing, no two alike."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 0x4A3E])
        self._given: set[str] = set()

    def new(self) -> str:
        name = self._rng.bytes(_NAME_BYTES).hex()
        if name in self._given:
            return self.new()
        self._given.add(name)
        return name

    def check(self, participant: int) -> Check:
        quality, match = (int(n) for n in self._rng.choice(11, 2, replace=False))
        return Check(participant=participant, visual_quality=quality, emotion_match=match)


def _check_places(out: Path, key_path: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty folder: choose another --out")
    if not out.resolve().parent.is_dir():
        raise InputError(f"the folder {out.parent} does not exist: create it first")
    if key_path.resolve().is_relative_to(out.resolve()):
        raise InputError(f"the key {key_path} would lie in the page's folder: choose another --key")
    if key_path.exists():
        raise InputError(f"the key {key_path} exists, perhaps of a study that runs: move it away")
    if not key_path.resolve().parent.is_dir():
        raise InputError(f"the folder {key_path.parent} does not exist: create it first")


def _publish(unfinished: Path, out: Path, key: Key, key_path: Path) -> None:
    """Put key and page in their places, both or none."""
    with whole_file(key_path, "key") as place:
        place.write_text(key.model_dump_json(indent=1) + "\n", encoding="utf-8")
    try:
        os.replace(unfinished, out)
    except OSError:
        key_path.unlink()
        raise


def _way_of_everybody(
    material: Material,
    plan: StudyPlan,
    sets: dict[str, str],
    clips: dict[tuple[str, str], str],
    key: Key,
) -> list[list[dict[str, Any]]]:
    """Screens of every participant, as the page's script reads them."""
    rng = np.random.default_rng([plan.seed, 0xC4EC])

    def shown(screen: Screen) -> dict[str, Any]:
        name = material.sets[screen.set_index]
        order = [clips[material.methods[m], name] for m in screen.methods]
        return {"set": sets[name], "clips": order}

    ways = []
    planned = plan_screens(
        len(material.sets), len(material.methods), plan.num_participants, plan.seed
    )
    for person, screens in enumerate(planned, start=1):
        way = [shown(screen) for screen in screens]
        for token, check in key.checks.items():
            if check.participant == person:
                clip = str(rng.choice(list(clips.values())))
                asked = {q: getattr(check, q) for q in QUESTIONS}
                at = int(rng.integers(1, len(way) + 1))
                way.insert(at, {"check": token, "clips": [clip], "asked": asked})
        ways.append(way)
    return ways


def _copy(
    material: Material, sets: dict[str, str], clips: dict[tuple[str, str], str], out: Path
) -> dict[str, str]:
    """Copy clips and photos; returns the file of each opaque name, relative to the page."""
    (out / "clips").mkdir(parents=True)
    files: dict[str, str] = {}
    # In order of the opaque names, so that the files' times tell nothing either.
    for token, pair in sorted((token, pair) for pair, token in clips.items()):
        source = material.clips[pair]
        files[token] = f"clips/{token}{source.suffix.lower()}"
        _copy_without_metadata(source, out / files[token])
    for name, photo in material.photos.items():
        files[sets[name]] = f"clips/{sets[name]}.png"
        _write_photo(photo, out / files[sets[name]])
    return files


def _copy_without_metadata(source: Path, target: Path) -> None:
    """Copy the packets of video and sound; tags, which may name the method, stay behind."""
    import av

    options = {} if target.suffix == ".webm" else {"movflags": "+faststart"}
    try:
        with open_media(source) as given, av.open(str(target), "w", options=options) as copy:
            copied = {
                stream.index: copy.add_stream_from_template(stream)
                for stream in (*given.streams.video[:1], *given.streams.audio[:1])
            }
            if not given.streams.video or not given.streams.audio:
                raise InputError(f"the clip {source} lacks picture or sound: give it both")
            for stream in copied.values():
                stream.metadata.clear()
            for packet in given.demux([given.streams[index] for index in copied]):
                if packet.dts is not None:
                    packet.stream = copied[packet.stream.index]
                    copy.mux(packet)
    except InputError:
        raise
    except Exception as err:  # a reader of damaged bytes raises whatever it meets
        raise InputError(
            f"the clip {source} cannot be read ({reason_of(err)}): encode it again"
        ) from err


def _write_photo(source: Path, target: Path) -> None:
    import cv2

    pixels = read_image(source)
    shrink = min(1.0, PHOTO_PX / max(pixels.shape[:2]))
    size = (round(pixels.shape[1] * shrink), round(pixels.shape[0] * shrink))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    is_made, content = cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    if not is_made:
        raise EmoheadError("OpenCV was built without PNG: install opencv-python-headless")
    target.write_bytes(content.tobytes())  # OpenCV's own writing does not say what went wrong


def _page(data: dict[str, Any]) -> str:
    """Put style, script and data into the page."""
    page = (_FOLDER / "page.html").read_text(encoding="utf-8")
    for mark, file in _MARKS.items():
        page = page.replace(mark, (_FOLDER / file).read_text(encoding="utf-8"))
    # A title may hold any text: "<" must not end the script element.
    return page.replace(_DATA_MARK, json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"))
