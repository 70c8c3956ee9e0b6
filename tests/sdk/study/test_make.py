from __future__ import annotations

import json
import os
import re
from pathlib import Path

import av
import pytest
from PIL import Image
from typer.testing import CliRunner

from emohead.cli import app
from emohead.errors import InputError
from emohead.samples import SAMPLE_FACE
from emohead.study.make import StudyPlan, make_study
from emohead.study.schema import Key
from emohead.study.sources import material_from_folders, material_from_manifest


def _data(page: Path) -> dict:
    text = (page / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="study">(.*?)</script>', text, re.S).group(1))


@pytest.fixture
def made(method_folders: dict[str, Path], tmp_path: Path) -> tuple[Key, Path]:
    plan = StudyPlan(title="</script> & more", num_participants=4, num_checks=1, seed=3)
    material = material_from_folders(method_folders)
    return make_study(material, plan, tmp_path / "page", tmp_path / "k.json"), tmp_path / "page"


def test_the_page_hides_methods_and_names(made: tuple[Key, Path]) -> None:
    key, page = made
    shown = (page / "index.html").read_text(encoding="utf-8")
    files = sorted(p.name for p in page.rglob("*") if p.is_file())
    for name in ("ours", "rival", "anna", "bert"):
        assert name not in shown
        assert not any(name in file for file in files)
    assert {Path(f).stem for f in files} - {"index"} == set(key.clips)
    assert {(c.method, c.set) for c in key.clips.values()} == {
        (m, s) for m in ("ours", "rival") for s in ("anna", "bert")
    }


def test_every_participant_sees_every_clip_once_and_one_check(made: tuple[Key, Path]) -> None:
    key, page = made
    data = _data(page)
    assert data["title"] == "</script> & more"
    assert len(data["participants"]) == 4
    for number, way in enumerate(data["participants"], start=1):
        shown = [clip for screen in way if "set" in screen for clip in screen["clips"]]
        assert sorted(shown) == sorted(key.clips)
        (check,) = (screen for screen in way if "check" in screen)
        assert key.checks[check["check"]].participant == number
        assert check["asked"]["visual_quality"] == key.checks[check["check"]].visual_quality
    assert all((page / file).is_file() for file in data["files"].values())


def test_the_page_asks_nothing_of_the_network(made: tuple[Key, Path]) -> None:
    text = (made[1] / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|<link|src=\"", text)


def test_copies_play_and_carry_no_tags(made: tuple[Key, Path], method_folders) -> None:
    key, page = made
    with av.open(str(method_folders["ours"] / "anna.mp4")) as original:
        assert "emohead" in original.metadata["comment"]
    for token in key.clips:
        with av.open(str(page / "clips" / f"{token}.mp4")) as copy:
            assert "emohead" not in str(copy.metadata)
            assert sum(1 for _ in copy.decode(video=0)) == 10
            assert copy.streams.audio


def test_equal_seeds_give_equal_pages(method_folders, tmp_path: Path) -> None:
    pages = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        plan = StudyPlan(num_participants=2, seed=seed)
        material = material_from_folders(method_folders)
        make_study(material, plan, tmp_path / name, tmp_path / f"{name}.json")
        pages.append((tmp_path / name / "index.html").read_text(encoding="utf-8"))
    assert pages[0] == pages[1] != pages[2]


def test_photos_come_along(method_folders, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("anna", "bert"):
        (photos / f"{name}.jpg").write_bytes(SAMPLE_FACE.read_bytes())
    material = material_from_folders(method_folders, photos)
    key = make_study(material, StudyPlan(), tmp_path / "page", tmp_path / "k.json")
    for token in key.sets:
        with Image.open(tmp_path / "page" / _data(tmp_path / "page")["files"][token]) as photo:
            assert photo.size == (384, 384)
    (photos / "bert.jpg").unlink()
    with pytest.raises(InputError, match="bert"):
        material_from_folders(method_folders, photos)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_manifest_does_as_well(method_folders, tmp_path: Path, suffix: str) -> None:
    rows = [
        {"method": method, "set": name, "path": str(folder / f"{name}.mp4")}
        for method, folder in method_folders.items()
        for name in ("anna", "bert")
    ]
    manifest = tmp_path / f"m.{suffix}"
    lines = ["method,set,path", *(",".join(row.values()) for row in rows)]
    manifest.write_text(json.dumps(rows) if suffix == "json" else "\n".join(lines))
    assert material_from_manifest(manifest) == material_from_folders(method_folders)
    manifest.write_text(json.dumps([*rows, rows[0]]) if suffix == "json" else lines[0] + "\na,,b")
    with pytest.raises(InputError, match=r"row (5|1) of .*m\."):
        material_from_manifest(manifest)
    rows[0]["photo"], rows[2]["photo"] = "a.jpg", "b.jpg"  # of one set
    (tmp_path / "m.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match="row 3 of .* has another photo for set 'anna'"):
        material_from_manifest(tmp_path / "m.json")


def test_what_cannot_be_compared_is_refused(method_folders, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two"):
        material_from_folders({"ours": method_folders["ours"]})
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "anna.mp4").write_bytes((method_folders["ours"] / "anna.mp4").read_bytes())
    with pytest.raises(InputError, match="'part' has no clip 'bert'"):
        material_from_folders({"ours": method_folders["ours"], "part": tmp_path / "part"})
    (tmp_path / "part" / "bert.mp4").write_bytes(b"nothing")
    material = material_from_folders({"ours": method_folders["ours"], "part": tmp_path / "part"})
    with pytest.raises(InputError, match="bert.mp4 cannot be read"):
        make_study(material, StudyPlan(), tmp_path / "page", tmp_path / "k.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part"]


def test_a_page_that_cannot_be_put_in_place_leaves_no_key(
    method_folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next try would be refused for the key of a study that never was."""
    material = material_from_folders(method_folders)
    replace = os.replace

    def fails(source: Path, target: Path) -> None:
        if Path(source).is_dir():
            raise OSError(39, "Directory not empty")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(InputError, match="the study cannot be written"):
        make_study(material, StudyPlan(), tmp_path / "study", tmp_path / "key.json")
    assert list(tmp_path.iterdir()) == []


def test_the_present_folder_may_be_the_pages(
    method_folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page").mkdir()
    monkeypatch.chdir(tmp_path / "page")
    methods = [f"--method={name}={folder}" for name, folder in method_folders.items()]
    result = CliRunner().invoke(app, ["study", "make", "--out", ".", *methods])
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["page", "page.key.json"]
    assert (tmp_path / "page" / "index.html").is_file()


def test_key_and_page_stay_apart_and_nothing_is_overwritten(method_folders, tmp_path) -> None:
    material = material_from_folders(method_folders)
    with pytest.raises(InputError, match="would lie in the page's folder"):
        make_study(material, StudyPlan(), tmp_path / "page", tmp_path / "page" / "k.json")
    (tmp_path / "k.json").write_text("kept")
    with pytest.raises(InputError, match="exists"):
        make_study(material, StudyPlan(), tmp_path / "page", tmp_path / "k.json")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("kept")
    with pytest.raises(InputError, match="not an empty folder"):
        make_study(material, StudyPlan(), tmp_path / "full", tmp_path / "other.json")
    with pytest.raises(InputError, match="participant"):
        StudyPlan(num_participants=0)
