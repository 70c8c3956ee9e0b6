"""The drawing of the data flow: what becomes what, in which file, by which network.

Fails where a file that it names is gone, or where it misses a network of the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from emohead import stages

SDK = Path(stages.__file__).parent
WIDTH, HEIGHT = 1000, 880
LINE, PILL = 19, 22
"""Heights of a line of text and of a network's pill, px."""
_HEAD = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"
 font-family="system-ui, sans-serif" font-size="14" fill="#222">
<title>Data flow of emohead</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
 orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#556"/></marker></defs>
<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="#fcfcfd"/>"""


@dataclass(frozen=True)
class Box:
    """A step: files of the SDK, what they do, networks that they run."""

    x: int
    y: int
    width: int
    height: int
    files: tuple[str, ...]
    lines: tuple[str, ...] = ()
    networks: tuple[stages.StageSpec, ...] = ()

    def drawn(self) -> str:
        """Return the box as SVG."""
        middle = self.x + self.width / 2
        parts = [
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="8"'
            ' fill="#fff" stroke="#3f51b5" stroke-width="1.5"/>'
        ]
        y = self.y + LINE
        parts.append(_text(middle, y, ", ".join(self.files), 'font-weight="600"'))
        for line in self.lines:
            y += LINE
            parts.append(_text(middle, y, line, 'fill="#444"'))
        for network in self.networks:
            y += PILL + 2
            parts.append(_pill(middle, y, network.name))
        return "".join(parts)


@dataclass(frozen=True)
class Arrow:
    """A line through points, with the name of what flows there."""

    points: tuple[tuple[int, int], ...]
    label: str = ""
    at: tuple[int, int] = (0, 0)
    anchor: str = "start"

    def drawn(self) -> str:
        """Return the arrow as SVG."""
        path = " ".join(f"{x},{y}" for x, y in self.points)
        line = (
            f'<polyline points="{path}" fill="none" stroke="#556" stroke-width="1.5"'
            ' marker-end="url(#tip)"/>'
        )
        halo = 'fill="#1a5c3a" font-style="italic" stroke="#fcfcfd" stroke-width="4"'
        label = _text(*self.at, self.label, f'{halo} paint-order="stroke"', self.anchor)
        return line + (label if self.label else "")


SOURCES = (("voice: file, array or live PCM", 115), ("photo", 860))
BOXES = (
    Box(20, 66, 660, 48, ("audio.py",), ("decode, mix, resample",)),
    Box(
        740,
        66,
        240,
        78,
        ("images.py", "detector.py"),
        ("read, find the face",),
        (stages.FACE_DETECTOR,),
    ),
    Box(
        740,
        190,
        240,
        116,
        ("portrait.py", "crop.py"),
        ("landmarks in two passes,", "frame, take the pose out"),
        (stages.FACE_LANDMARKS,),
    ),
    Box(740, 372, 240, 78, ("render.py",), ("once per face",), (stages.PORTRAIT_ENCODER,)),
    Box(
        20,
        160,
        190,
        150,
        ("onset.py", "motion.py"),
        ("onsets push the head,", "a spring brings it back"),
    ),
    Box(
        240,
        160,
        210,
        150,
        ("emotion/windows.py",),
        ("128 bands, 3 s at a time;", "one emotion for the clip,", "or one that follows the voice"),
        (stages.EMOTION_ENCODER,),
    ),
    Box(
        480,
        160,
        200,
        150,
        ("mel.py", "lips.py"),
        ("80 bands, content, lips",),
        (stages.SPEAKER_ENCODER, stages.CONTENT_ENCODER, stages.NEUTRAL_LANDMARKS),
    ),
    Box(
        240,
        372,
        440,
        78,
        ("stylise.py", "geometry/"),
        ("edges, restyled, and back",),
        (stages.EMOTION_LANDMARKS,),
    ),
    Box(
        20,
        512,
        660,
        88,
        ("performance.py", "retime.py", "life.py", "liveliness.py", "camera.py"),
        (
            "join face and head, take the video's frame rate,",
            "add blinks, glances and breath, put into the photo's pose, project",
        ),
    ),
    Box(
        240,
        660,
        440,
        78,
        ("render.py", "steps.py"),
        ("one frame after the other",),
        (stages.RENDERER,),
    ),
    Box(
        20,
        796,
        310,
        68,
        ("stream.py", "live/"),
        ("pictures and their sound, one after", "another, while the voice comes"),
    ),
    Box(
        370,
        796,
        310,
        68,
        ("clip.py", "paste.py", "video.py"),
        ("lazily: frames to the caller, or with", "the speech into an mp4 (H.264, AAC)"),
    ),
)
ARROWS = (
    Arrow(((115, 44), (115, 64))),
    Arrow(((860, 44), (860, 64))),
    Arrow(((860, 144), (860, 188)), "face box", (868, 172)),
    Arrow(((115, 114), (115, 158))),
    Arrow(((345, 114), (345, 158)), "(n,) float32, 16 kHz, mono", (353, 141)),
    Arrow(((580, 114), (580, 158))),
    Arrow(((740, 236), (682, 236)), "anchor", (688, 228)),
    Arrow(((240, 250), (212, 250))),
    Arrow(((345, 310), (345, 370)), "emotion (8,) over time,", (337, 336), "end"),
    Arrow(((580, 310), (580, 370)), "neutral faces x′", (588, 345)),
    Arrow(((860, 306), (860, 370)), "crop, 68 points", (868, 345)),
    Arrow(((740, 290), (712, 290), (712, 556), (682, 556)), "pose", (718, 480)),
    Arrow(((115, 310), (115, 510)), "yaw, pitch, roll, shift", (123, 480)),
    Arrow(((460, 450), (460, 510)), "emotional faces x″ (68, 3)", (468, 485)),
    Arrow(((460, 600), (460, 658)), "2-D landmarks (68, 2), px of the crop", (468, 634)),
    Arrow(((860, 450), (860, 699), (682, 699)), "features", (868, 580)),
    Arrow(((240, 715), (200, 715), (200, 683), (238, 683)), "state", (192, 704), "end"),
    Arrow(((300, 738), (300, 766), (175, 766), (175, 794))),
    Arrow(((525, 738), (525, 794)), "frame (256, 256, 3) uint8", (533, 771)),
)
NOTES = (("or given: emotion/track.py", 337, 354, "end"),)


def drawing() -> str:
    """Return the whole drawing, SVG."""
    _check(BOXES)
    sources = "".join(
        f'<rect x="{x - 105}" y="14" width="210" height="30" rx="15" fill="#e8eaf6"/>'
        + _text(x, 34, name)
        for name, x in SOURCES
    )
    notes = "".join(
        _text(x, y, text, 'fill="#1a5c3a" font-style="italic"', a) for text, x, y, a in NOTES
    )
    parts = [_HEAD, sources, *(b.drawn() for b in BOXES), *(a.drawn() for a in ARROWS), notes]
    return "\n".join([*parts, "</svg>\n"])


def _check(boxes: Sequence[Box]) -> None:
    """Raise where the drawing and the code have parted."""
    for box in boxes:
        for file in box.files:
            if not (SDK / file).exists():
                raise FileNotFoundError(f"the drawing names {file}, which is gone")
    drawn = sorted(network.name for box in boxes for network in box.networks)
    if drawn != sorted(stages.STAGES):
        raise ValueError(
            f"the drawing has the networks {drawn}, the contract {list(stages.STAGES)}"
        )


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {style}>{escape(text)}</text>'


def _pill(middle: float, y: float, name: str) -> str:
    width = 8.2 * len(name) + 20
    shape = (
        f'<rect x="{middle - width / 2:g}" y="{y - 16:g}" width="{width:g}" height="{PILL}"'
        f' rx="{PILL / 2:g}" fill="#fff3cd" stroke="#c9a227"/>'
    )
    return shape + _text(middle, y, name, 'font-family="ui-monospace, monospace" font-size="13"')
