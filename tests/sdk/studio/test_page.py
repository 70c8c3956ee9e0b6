"""The studio in a real browser, in the order in which somebody uses it."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from emohead.landmarks.files import read_landmarks
from emohead.samples import SAMPLE_FACE

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from conftest import Served, Visit

pytestmark = pytest.mark.slow

FPS = 10
FRAMES = 7
"""Of the short voice at that rate."""


@pytest.fixture(scope="module")
def ready(visit: Visit, short_voice: Path) -> Page:
    """Photo and voice are uploaded, and the voice was heard."""
    upload(visit.page, short_voice)
    set_number(visit.page, "#fps", FPS)
    return visit.page


def upload(page: Page, voice: Path) -> None:
    page.set_input_files("#photo input[type=file]", SAMPLE_FACE)
    page.set_input_files("#voice input[type=file]", voice)
    page.wait_for_selector("#photo-note >> text=Face found")
    page.wait_for_selector("#curve polyline", state="attached")
    page.click("#more button")


def set_number(page: Page, widget: str, value: float) -> None:
    """Type a number, again where a page that is still being built forgot it."""
    field = page.locator(f"{widget} input[type=number]")
    for _ in range(20):
        field.fill(str(value))
        field.press("Enter")
        page.wait_for_timeout(100)
        if float(field.input_value()) == value:
            return
    raise AssertionError(f"{widget} shows {field.input_value()}, not {value}")


def render(page: Page) -> None:
    """Press the button and wait for the new video; a few frames may be done before any preview."""
    before = page.evaluate("document.querySelector('#video video')?.src ?? ''")
    page.click("#render")
    page.wait_for_function(
        "before => { const video = document.querySelector('#video video');"
        " return video && video.src && video.src !== before && video.readyState >= 2; }",
        arg=before,
    )
    page.wait_for_selector("#video video")


def download(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        assert container.streams.audio
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


@pytest.fixture(scope="module")
def first(ready: Page, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of the first video, which the voice directed."""
    folder = tmp_path_factory.mktemp("first")
    render(ready)
    buttons = ("mp4", "landmarks", "track")
    return {name: download(ready, f"#get-{name}", folder) for name in buttons}


def test_the_page_asks_no_other_host(visit: Visit, ready: Page) -> None:
    assert visit.foreign == []
    assert visit.errors == []


def test_the_video_plays_in_the_page(ready: Page, first: dict[str, Path]) -> None:
    facts = "v => [v.duration, v.videoWidth, v.videoHeight, v.error]"
    duration, width, height, error = ready.eval_on_selector("#video video", facts)
    assert duration == pytest.approx(FRAMES / FPS, abs=0.11)
    assert (width, height, error) == (256, 256, None)


def test_downloads_belong_together(first: dict[str, Path]) -> None:
    frames = frames_of(first["mp4"])
    landmarks = np.load(first["landmarks"])
    assert frames.shape == (FRAMES, 256, 256, 3)
    assert landmarks["landmarks"].shape == (FRAMES, 68, 3)
    assert landmarks["fps"] == FPS
    track = json.loads(first["track"].read_text())
    assert track["source"] == "voice"
    assert first["mp4"].name == "portrait-short-voice.mp4"


def test_an_edited_curve_changes_the_video(
    ready: Page, first: dict[str, Path], tmp_path: Path
) -> None:
    ready.click("#clear-keys")
    ready.wait_for_selector("#curve >> text=No curve yet")
    ready.fill("#key-at input", "0")
    ready.click("#add-key")
    ready.wait_for_selector("#curve [aria-label*='happy from 0 s']")
    ready.dblclick("#keyframes [data-testid=cell-0-4]")  # angry, after seconds
    ready.keyboard.press("Control+a")
    ready.keyboard.type("0.9")
    ready.keyboard.press("Enter")
    ready.wait_for_selector("#curve .legend >> text=angry")
    render(ready)
    keyframes = json.loads(download(ready, "#get-track", tmp_path).read_text())["keyframes"]
    assert [k["time_code"] for k in keyframes] == [0.0]
    assert keyframes[0]["emotions"]["angry"] == pytest.approx(0.9)
    edited = frames_of(download(ready, "#get-mp4", tmp_path)).astype(int)
    assert np.abs(edited - frames_of(first["mp4"])).mean() > 0.2


def test_a_click_on_the_pad_directs(ready: Page, tmp_path: Path) -> None:
    ready.click("#way >> text=By valence and arousal")
    box = ready.locator("#pad svg").bounding_box()
    assert box is not None
    ready.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.56 * box["height"])
    ready.wait_for_selector("#meaning >> text=sad")
    assert float(ready.input_value("#valence input[type=number]")) == pytest.approx(-0.64, abs=0.02)
    render(ready)
    track = json.loads(download(ready, "#get-track", tmp_path).read_text())
    shown = track["keyframes"][0]["emotions"]
    assert shown["sad"] == max(shown.values())


def test_sliders_mix_and_two_takes_stand_side_by_side(ready: Page, tmp_path: Path) -> None:
    ready.click("#keep-a")
    ready.click("#way >> text=By a mix")
    set_number(ready, "#mix-surprised", 0.8)
    render(ready)
    track = json.loads(download(ready, "#get-track", tmp_path).read_text())
    assert track["keyframes"][0]["emotions"]["surprised"] == pytest.approx(0.8)
    ready.click("#keep-b")
    ready.click("button[role=tab] >> text=Compare")
    ready.wait_for_selector("#told-a >> text=valence")
    ready.wait_for_selector("#told-b >> text=surprised 0.80")
    ready.click("#make-both")
    ready.wait_for_selector("#get-both")
    assert frames_of(download(ready, "#get-both", tmp_path)).shape == (FRAMES, 256, 520, 3)
    ready.click("button[role=tab] >> text=Create")


def test_stopping_leaves_nothing_behind(
    other_page: Page, studio: Served, voice_of_three_seconds: Path
) -> None:
    takes = "emohead-studio-*/takes/*"
    before = set(studio.temporary.glob(takes))
    upload(other_page, voice_of_three_seconds)
    set_number(other_page, "#fps", 60)
    other_page.click("#render")
    other_page.wait_for_selector("#stage img")
    assert set(studio.temporary.glob(takes)) - before
    other_page.click("#stop")
    deadline = time.monotonic() + 60
    while set(studio.temporary.glob(takes)) - before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    other_page.wait_for_selector("#stage >> text=The video appears here", state="visible")


def test_landmarks_are_drawn_on_request(ready: Page, first: dict[str, Path]) -> None:
    plain = ready.get_attribute("#video video", "src")
    ready.check("#overlay input")
    ready.wait_for_function(
        "src => document.querySelector('#video video')?.src?.includes('overlay')", arg=plain
    )
    ready.uncheck("#overlay input")
    ready.wait_for_function("!document.querySelector('#video video').src.includes('overlay')")


def test_landmarks_come_in_three_kinds(ready: Page, tmp_path: Path) -> None:
    ready.click("#landmark-kind input")
    ready.click("#landmark-kind [role=option] >> text=csv")
    ready.wait_for_selector("text=Landmarks, csv")
    track = read_landmarks(download(ready, "#get-landmarks", tmp_path))
    assert track.landmarks.shape == (FRAMES, 68, 3)


def test_a_batch_goes_on_after_a_bad_row(ready: Page, short_voice: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"these are words\n" * 20)
    ready.click("button[role=tab] >> text=Batch")
    ready.click("#batch-sample")
    ready.wait_for_selector("#batch-photo img")
    ready.set_input_files("#batch-files input[type=file]", [tmp_path / "noise.wav", short_voice])
    ready.wait_for_selector("#batch-table [data-testid=cell-1-0]")
    set_number(ready, "#batch-fps", FPS)
    ready.click("#batch-run")
    ready.wait_for_selector("#batch-progress >> text=1 of 2 rendered, 1 failed")
    rows = ready.locator("#batch-results tbody tr").all_inner_texts()
    assert "cannot be read as audio" in rows[0]
    assert "002-short voice.mp4" in rows[1]
    path = download(ready, "#batch-zip", tmp_path)
    with zipfile.ZipFile(path) as archive:
        records = [json.loads(line) for line in archive.read("records.jsonl").splitlines()]
        archive.extract("002-short voice.mp4", tmp_path)
    assert [record["status"] for record in records] == ["failed", "done"]
    assert len(frames_of(tmp_path / "002-short voice.mp4")) == FRAMES
    ready.click("button[role=tab] >> text=Create")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"these are words\n" * 20, "cannot be read as an image"), (None, "3 s")],
    ids=["text as a photo", "long voice"],
)
def test_what_cannot_be_used_is_told_in_a_sentence(
    ready: Page, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "face.jpg").write_bytes(content)
        ready.click("#photo button[aria-label='Remove Image']")
        ready.set_input_files("#photo input[type=file]", tmp_path / "face.jpg")
    else:
        ready.click("#sample-voice")
    toast = ready.wait_for_selector(f".toast-body >> text={said}")
    assert toast is not None
    text = ready.locator(".toast-wrap").inner_text()
    assert "Traceback" not in text
    assert "/" not in text.replace("and/or", "")
    ready.click("[data-testid=toast-close]")


def test_a_phone_shows_everything_in_one_column(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    for widget in ("#photo", "#voice", "#way", "#render"):
        box = visit.page.locator(widget).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    visit.page.set_viewport_size({"width": 1280, "height": 900})


def test_the_last_tab_tells_licences(ready: Page) -> None:
    ready.click("button[role=tab] >> text=About")
    about = ready.wait_for_selector("#about-sources >> text=CC BY-NC-SA 4.0")
    assert about is not None
    assert ready.locator("#ethics >> text=consent").count() == 1


def test_nothing_is_left_when_it_ends(studio: Served, ready: Page) -> None:
    assert list(studio.temporary.glob("emohead-studio-*/takes/*/*.mp4"))
    studio.process.terminate()
    assert studio.process.wait(120) == 143
    assert list(studio.temporary.glob("emohead*")) == []
