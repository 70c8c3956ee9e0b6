"""The first tab: a photo, a voice, how to act, and the video.

Not here: the ways of directing (``directing.py``), the work itself (``workshop.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.studio.controls import Controls
from emohead.studio.directing import HEAD, Directing, place_acting
from emohead.studio.photo import photo_input
from emohead.studio.rendering import Look
from emohead.studio.speaking import spoken
from emohead.studio.stage import EMPTY, WAITING, look_html, take_html
from emohead.studio.stopping import Stops
from emohead.studio.takes import LANDMARK_KINDS, Take, landmark_file, overlaid
from emohead.studio.wording import escaped, page_sentence
from emohead.studio.workshop import Workshop

__all__ = ["CreateTab"]

Shown = dict[Any, Any]


class CreateTab:
    """Places the tab and connects it.

    Parameters
    ----------
    workshop : Workshop
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop, self._stops = workshop, Stops()
        self.take = gr.State(None)
        with gr.Row(equal_height=False):
            with gr.Column(scale=6, min_width=340):
                self._place_uploads()
                self._controls = Controls.unplaced()
                self._directing = Directing(workshop, self._controls, self.voice)
                place_acting(self._controls)
            with gr.Column(scale=5, min_width=320, elem_id="result"):
                self._place_result()
        self._connect()

    def _place_uploads(self) -> None:
        with gr.Row(equal_height=True):
            self.photo = photo_input()
            self.voice = gr.Audio(
                label="Voice",
                sources=["upload", "microphone"],
                type="filepath",
                min_width=240,
                buttons=[],
                elem_id="voice",
            )
        with gr.Row():
            self._sample_photo = gr.Button(
                "Sample portrait", size="sm", min_width=120, elem_id="sample-photo"
            )
            self._sample_voice = gr.Button(
                "Sample voice", size="sm", min_width=120, elem_id="sample-voice"
            )
        self._told = gr.HTML("", elem_id="photo-note")

    def _place_result(self) -> None:
        self._stage = gr.HTML(EMPTY, elem_id="stage")
        self._video = gr.Video(
            label="Video",
            visible=False,
            interactive=False,
            autoplay=True,
            elem_id="video",
            buttons=[],
        )
        with gr.Row():
            self._render = gr.Button("Render", variant="primary", size="lg", elem_id="render")
            self._stop = gr.Button("Stop", size="lg", min_width=80, scale=0, elem_id="stop")
        self._overlay = gr.Checkbox(False, label="Show landmarks", elem_id="overlay")
        self._facts = gr.HTML("", elem_id="facts")
        with gr.Row(visible=False, elem_id="downloads") as self._downloads:
            self._mp4 = gr.DownloadButton("Video, mp4", size="sm", min_width=90, elem_id="get-mp4")
            self._json = gr.DownloadButton(
                "Emotion, json", size="sm", min_width=90, elem_id="get-track"
            )
            self._points = gr.DownloadButton(
                _landmarks(LANDMARK_KINDS[0]), size="sm", min_width=90, elem_id="get-landmarks"
            )
            self._kind = gr.Dropdown(
                list(LANDMARK_KINDS),
                value=LANDMARK_KINDS[0],
                label="Landmarks as",
                container=False,
                min_width=70,
                elem_id="landmark-kind",
            )
        with gr.Row(visible=False, elem_id="keep") as self._keep:
            self.keep_a = gr.Button("Keep as A", size="sm", min_width=90, elem_id="keep-a")
            self.keep_b = gr.Button("Keep as B", size="sm", min_width=90, elem_id="keep-b")

    def _connect(self) -> None:
        light: dict[str, Any] = {"show_progress": "hidden", "queue": False}
        self._sample_photo.click(lambda: str(SAMPLE_FACE), None, self.photo, **light)
        self._sample_voice.click(lambda: str(SAMPLE_SPEECH), None, self.voice, **light)
        head: dict[str, Any] = {"concurrency_id": HEAD, "concurrency_limit": 1}
        self.photo.change(self._found, self.photo, self._told, **head, show_progress="hidden")
        outputs = [
            self._stage,
            self._video,
            self._facts,
            self._downloads,
            self._keep,
            self._mp4,
            self._points,
            self._json,
            self._controls.table,
            self._directing.curve,
            self.take,
        ]
        begun = self._render.click(
            self._begun, None, [self._stage, self._video], show_progress="hidden", queue=False
        )
        shown = {self.photo, self.voice, self.take, self._overlay, self._kind}
        inputs = shown | self._controls.widgets()
        begun.then(self._rendered, inputs, outputs, **head, show_progress="hidden")
        self._stop.click(self._stopped, self.take, [self._stage, self._video], **light)
        self._kind.input(self._written, [self.take, self._kind], self._points, **light)
        self._overlay.input(
            self._viewed, [self.take, self._overlay], self._video, show_progress_on=[self._video]
        )

    def _found(self, photo: str | None) -> str:
        if photo is None:
            return ""
        with spoken(self._workshop.folder):
            face = self._workshop.portrait(photo)
            size = max(face.box[2:] - face.box[:2])
            told = [f"Face found, {size:.0f} px large.", *face.notes]
            lines = (escaped(page_sentence(line, self._workshop.folder)) for line in told)
            return f'<p class="hint">{" ".join(lines)}</p>'

    def _begun(self, request: gr.Request) -> list[Any]:
        self._stops.begin(str(request.session_hash))
        return [gr.update(value=WAITING, visible=True), gr.update(visible=False)]

    def _stopped(self, take: Take | None, request: gr.Request) -> Shown:
        self._stops.stop(str(request.session_hash))
        return self._before(take)

    def _before(self, take: Take | None) -> Shown:
        """Show what was there before."""
        stage = gr.update(value=EMPTY, visible=take is None)
        return {self._stage: stage, self._video: gr.update(visible=take is not None)}

    def _rendered(self, values: Shown, request: gr.Request) -> Iterator[Shown]:
        """Yield the preview while frames come, and the video in the end."""
        photo, voice = values[self.photo], values[self.voice]
        session = str(request.session_hash)
        stop = self._stops.begin(session)
        try:
            with spoken(self._workshop.folder):
                settings = self._controls.settings(values)
                self._workshop.portrait(photo)
                if settings.way == "voice" and settings.track is None:
                    read = self._workshop.read(voice, per_clip=settings.per_clip)
                    rows, curve = self._directing.shown(read, voice)
                    yield {self._controls.table: rows, self._directing.curve: curve}
                made = self._workshop.render(
                    photo, voice, settings, overlay=lambda: bool(values[self._overlay])
                )
                with closing(made):
                    for given in made:
                        if stop.is_set() and isinstance(given, Look):
                            yield self._before(values[self.take])
                            break
                        if isinstance(given, Look):
                            yield {self._stage: look_html(given)}
                        else:
                            yield self._finished(given, values)
        except gr.Error:
            yield {self._stage: EMPTY}
            raise
        finally:
            self._stops.end(session)

    def _finished(self, take: Take, values: Shown) -> Shown:
        points = landmark_file(take, values[self._kind])
        return {
            self._stage: gr.update(visible=False),
            self._video: gr.update(value=_view(take, values[self._overlay]), visible=True),
            self._facts: take_html(take),
            self._downloads: gr.update(visible=True),
            self._keep: gr.update(visible=True),
            self._mp4: gr.update(value=str(take.video)),
            self._json: gr.update(value=str(take.track)),
            self._points: gr.update(value=str(points), label=_landmarks(values[self._kind])),
            self.take: take,
        }

    def _written(self, take: Take | None, kind: str) -> Any:
        if take is None:
            return gr.update()
        with spoken(self._workshop.folder):
            return gr.update(value=str(landmark_file(take, kind)), label=_landmarks(kind))

    def _viewed(self, take: Take | None, overlay: bool) -> Any:
        if take is None:
            return gr.update()
        with spoken(self._workshop.folder):
            return gr.update(value=_view(take, overlay))


def _landmarks(kind: str) -> str:
    return f"Landmarks, {kind}"


def _view(take: Take, overlay: bool) -> str:
    return str(overlaid(take) if overlay else take.video)
