"""The table of keyframes and the settings, without a page."""

from __future__ import annotations

import numpy as np
import pytest

from emohead import VA, EmotionTrack, InputError
from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.studio.curve import curve_svg
from emohead.studio.keyframes import COLUMNS, rows_from_track, track_from_rows
from emohead.studio.settings import Settings, mixed


def test_a_track_survives_the_table() -> None:
    weights = np.zeros((2, len(EMOTIONS)), np.float32)
    weights[0, NEUTRAL], weights[1, EMOTIONS.index("happy")] = 1.0, 0.75
    weights[1, NEUTRAL] = 0.25
    track = EmotionTrack(times_s=np.array([0.0, 1.5]), weights=weights)
    again = track_from_rows(rows_from_track(track))
    assert again is not None
    np.testing.assert_allclose(again.weights, track.weights)
    np.testing.assert_allclose(again.times_s, track.times_s)


def test_rows_may_be_out_of_order_text_and_empty() -> None:
    blank = [""] * len(COLUMNS)
    rows = [["2", "", "0.5", *blank[3:]], blank, [1, None, float("nan"), "1", *blank[4:]]]
    track = track_from_rows(rows)
    assert track is not None
    assert track.times_s.tolist() == [1.0, 2.0]
    assert track.weights[0, EMOTIONS.index("sad")] == 1.0
    assert track.weights[1, NEUTRAL] == 0.5
    assert track_from_rows([blank]) is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["soon", *[0] * 7], "row 1, seconds, got 'soon'"),
        ([0, 0, 1.2, *[0] * 5], "0 to 1 in row 1, happy, got 1.2"),
        ([-1, *[0] * 7], "row 1, seconds"),
        ([0, -0.1, *[0] * 6], "row 1, calm"),
    ],
)
def test_bad_cells_are_named(row: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        track_from_rows([row])


def test_a_time_twice_is_refused() -> None:
    with pytest.raises(InputError, match="0.5 s twice"):
        track_from_rows([[0.5, *[0] * 7], [0.5, *[1] * 7]])


def test_what_the_sliders_leave_is_neutral() -> None:
    assert mixed({"happy": 0.25, "neutral": 0.0}).as_dict()["neutral"] == 0.75
    assert mixed({"happy": 0.25, "neutral": 0.1}).as_dict()["neutral"] == pytest.approx(0.1)
    assert mixed(dict.fromkeys(EMOTIONS, 0.0)).name == "neutral"


def test_settings_tell_who_directs() -> None:
    place = Settings(way="va", valence=0.5, arousal=-0.25, strength=0.5, seed=3)
    assert place.told == VA(0.5, -0.25)
    assert place.summary() == "valence +0.50, arousal -0.25 · strength 0.5 · seed 3"
    assert Settings().told is None


def test_the_curve_describes_itself() -> None:
    track = track_from_rows([[0, 0, 1, *[0] * 5], [1, *[0] * 6, 1]])
    drawn = curve_svg(track, None)
    assert drawn.count("<polyline") == 2
    assert "happy from 0 s" in drawn
    assert "surprised from" in drawn
