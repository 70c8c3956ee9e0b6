"""``emohead emotion``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.options import AsJson, BundleOption, CpuBackend, SpeechArgument
from emohead.cli.reporting import ends_cleanly, print_json, say
from emohead.emotion import EMOTIONS

if TYPE_CHECKING:
    from emohead.emotion.track import EmotionTrack

__all__ = ["emotion"]

PerClipOption = Annotated[
    bool, typer.Option(help="One emotion for the clip rather than one that follows it.")
]
EmotionContrastOption = Annotated[
    float, typer.Option(help="Above 1 the strongest emotion takes from the others.")
]
MaxEmotionsOption = Annotated[int, typer.Option(help="How many emotions show at once, 1 to 7.")]
PreferredEmotionOption = Annotated[
    str | None, typer.Option(help="NAME or name=weight,… that is always mixed in.")
]
PreferredEmotionStrengthOption = Annotated[float, typer.Option(help="How much of it, 0 to 1.")]
EmotionStrengthOption = Annotated[
    float, typer.Option(help="How strongly the result shows, 0 to 1.")
]
LiveTransitionTimeOption = Annotated[
    float | None, typer.Option(help="Seconds that a full change takes at least.")
]


@ends_cleanly
def emotion(
    speech: SpeechArgument,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Track to write, .json.")] = None,
    per_clip: PerClipOption = False,
    emotion_contrast: EmotionContrastOption = 1.0,
    max_emotions: MaxEmotionsOption = len(EMOTIONS) - 1,
    preferred_emotion: PreferredEmotionOption = None,
    preferred_emotion_strength: PreferredEmotionStrengthOption = 0.5,
    emotion_strength: EmotionStrengthOption = 1.0,
    live_transition_time: LiveTransitionTimeOption = None,
    backend: CpuBackend = "auto",
    bundle: BundleOption = None,
    as_json: AsJson = False,
) -> None:
    """Read the emotion of a voice over time."""
    from emohead.audio import read_audio
    from emohead.emotion.files import check_track_output, write_track
    from emohead.emotion.hearing import open_encoder, read_emotion
    from emohead.emotion.shaping import Shaping

    if out is not None:
        check_track_output(out)
    shaping = Shaping(
        emotion_contrast=emotion_contrast,
        max_emotions=max_emotions,
        preferred_emotion=preferred_emotion,
        preferred_emotion_strength=preferred_emotion_strength,
        emotion_strength=emotion_strength,
        live_transition_time=live_transition_time,
    )
    voice = read_audio(speech)
    track = read_emotion(voice, open_encoder(bundle, backend), per_clip=per_clip)
    track = track.directed(shaping)
    for note in track.notes:
        say(f"note: {note}")
    if out is not None:
        write_track(track, out)
    _report(track, voice.duration_s, out, as_json)


def _report(track: EmotionTrack, duration_s: float, out: Path | None, as_json: bool) -> None:
    from emohead.emotion.files import track_as_dict

    segments = track.segments(duration_s)
    if as_json:
        print_json(
            {
                "duration_s": round(duration_s, 3),
                "emotion": track.mean(duration_s).name,
                "segments": [{"start_s": start, "emotion": name} for start, name in segments],
                "path": None if out is None else str(out),
                "track": track_as_dict(track),
            }
        )
        return
    for start, name in segments:
        print(f"{start:8.2f} s  {name}")
    if out is not None:
        print(f"{'path':9}  {out}")
