"""The third tab: one face and many voices.

Not here: sorting uploads (``intake.py``), rendering the rows (``batch.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import gradio as gr

from emohead.motion import FPS
from emohead.samples import SAMPLE_FACE
from emohead.studio.batch import BatchState, packed, run_batch
from emohead.studio.directing import HEAD
from emohead.studio.intake import FIELDS, take_in
from emohead.studio.photo import photo_input
from emohead.studio.speaking import spoken
from emohead.studio.stage import bar_html
from emohead.studio.stopping import Stops
from emohead.studio.tables import table_html
from emohead.studio.wording import page_sentence
from emohead.studio.workshop import Workshop

__all__ = ["BatchTab"]

_HINT: Final = (
    '<p class="hint">Voices, zips of them, or a .jsonl or .csv table with the columns '
    f"{', '.join(FIELDS)}. An empty emotion is read from the voice; write for example "
    "happy=0.6,surprised=0.3.</p>"
)
_RESULTS: Final = ("video", "state", "emotion", "frames", "seconds", "what happened")
_STOPPED: Final = '<p class="hint" role="status">Stopped.</p>'
Shown = dict[Any, Any]


class BatchTab:
    """Places the tab and connects it.

    Parameters
    ----------
    workshop : Workshop
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop, self._stops = workshop, Stops()
        self._voices = gr.State({})
        self._state = gr.State(None)
        gr.HTML(_HINT)
        with gr.Row(equal_height=True):
            self._photo = photo_input("Photo", "batch-photo")
            self._files = gr.File(
                label="Voices", file_count="multiple", height=240, elem_id="batch-files"
            )
        self._sample = gr.Button("Sample portrait", size="sm", elem_id="batch-sample")
        self._table = gr.Dataframe(
            headers=list(FIELDS),
            datatype=["str", "str", "number", "number", "str"],
            type="array",
            column_count=len(FIELDS),
            row_count=1,
            value=[],
            interactive=True,
            buttons=[],
            label="Videos to render",
            elem_id="batch-table",
        )
        with gr.Row():
            self._fps = gr.Slider(
                5, 60, value=FPS, step=1, label="Frames a second", elem_id="batch-fps"
            )
            self._whole = gr.Checkbox(
                False, label="Whole photo rather than the face", elem_id="batch-whole"
            )
        with gr.Row():
            self._run = gr.Button("Render all", variant="primary", size="lg", elem_id="batch-run")
            self._stop = gr.Button("Stop", size="lg", scale=0, min_width=80, elem_id="batch-stop")
        self._progress = gr.HTML("", elem_id="batch-progress")
        self._results = gr.HTML("", elem_classes="facts", elem_id="batch-results")
        self._zip = gr.DownloadButton("All of them, zip", visible=False, elem_id="batch-zip")
        self._connect()

    def _connect(self) -> None:
        self._sample.click(
            lambda: str(SAMPLE_FACE), None, self._photo, queue=False, show_progress="hidden"
        )
        taken = [self._voices, self._table]
        self._files.change(self._taken, self._files, taken, show_progress="hidden")
        begun = self._run.click(self._begun, None, None, queue=False, show_progress="hidden")
        begun.then(
            self._rendered,
            {self._photo, self._voices, self._table, self._fps, self._whole},
            [self._progress, self._results, self._zip, self._state],
            concurrency_id=HEAD,
            concurrency_limit=1,
            show_progress="hidden",
        )
        self._stop.click(
            self._stopped,
            self._state,
            [self._progress, self._zip],
            queue=False,
            show_progress="hidden",
        )

    def _taken(self, files: list[str] | None) -> tuple[dict[str, str], list[Any]]:
        if not files:
            return {}, []
        with spoken(self._workshop.folder):
            folder = self._workshop.new_folder()
            given = take_in(files, folder, self._workshop.limits)
            return {name: str(path) for name, path in given.voices.items()}, given.rows

    def _begun(self, request: gr.Request) -> None:
        self._stops.begin(str(request.session_hash))

    def _stopped(self, state: BatchState | None, request: gr.Request) -> list[Any]:
        self._stops.stop(str(request.session_hash))
        return [_STOPPED, _offered(state)]

    def _rendered(self, values: Shown, request: gr.Request) -> Iterator[Shown]:
        session = str(request.session_hash)
        stop = self._stops.begin(session)
        voices = {name: Path(path) for name, path in values[self._voices].items()}
        acting = {"fps": int(values[self._fps]), "full_frame": bool(values[self._whole])}
        yield {
            self._zip: gr.update(visible=False),
            self._results: "",
            self._progress: _waiting(),
            self._state: None,
        }
        try:
            with spoken(self._workshop.folder):
                steps = run_batch(
                    self._workshop, values[self._photo], voices, values[self._table], acting
                )
                with closing(steps):
                    for state in steps:
                        if stop.is_set():
                            break
                        yield {
                            self._progress: _progress(state),
                            self._results: self._told(state),
                            self._state: state,
                        }
                said = {self._progress: _STOPPED} if stop.is_set() else {}
                yield {**said, self._zip: _offered(state)}
        except gr.Error:
            yield {self._progress: ""}
            raise
        finally:
            self._stops.end(session)

    def _told(self, state: BatchState) -> str:
        rows = []
        for record in state.records:
            said = record.error.message if record.error else " ".join(record.notes)
            cells = (
                record.output,
                record.status,
                record.emotion,
                str(record.frames or ""),
                f"{record.timings['total_s']:.1f}" if "total_s" in record.timings else "",
                page_sentence(said, self._workshop.folder),
            )
            rows.append(cells)
        return table_html(_RESULTS, rows, [record.status for record in state.records])


def _offered(state: BatchState | None) -> Any:
    """Offer what is finished as a zip."""
    if state is None or not state.videos:
        return gr.update(visible=False)
    return gr.update(value=str(packed(state)), visible=True)


def _waiting() -> str:
    return '<p class="hint">Preparing the face …</p>'


def _progress(state: BatchState) -> str:
    finished = len(state.records)
    if finished == state.total:
        failed = sum(record.status == "failed" for record in state.records)
        ended = f"{finished - failed} of {state.total} rendered"
        return f'<p class="hint" role="status">{ended}{f", {failed} failed" if failed else ""}.</p>'
    share = state.done / state.frames if state.frames else 0.0
    told = f"video {finished + 1} of {state.total}"
    told += f" · frame {state.done} of {state.frames}" if state.frames else ""
    bar = bar_html(round(finished + share, 3), state.total)
    return f'<figure class="stage wide">{bar}<figcaption>{told}</figcaption></figure>'
