"""The model card says of the default bundle what its manifest says."""

from pathlib import Path

from emohead.bundle import Bundle

CARD = (Path(__file__).parents[2] / "docs/model-card.md").read_text(encoding="utf-8")
MANIFEST = Bundle.open().manifest


def test_every_stage_stands_with_its_size() -> None:
    for name, stage in MANIFEST.stages.items():
        row = next(line for line in CARD.splitlines() if line.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {stage.num_parameters:,} |")
        assert stage.licence in CARD


def test_every_source_stands_with_licence_and_origin() -> None:
    rows = [line for line in CARD.splitlines() if line.startswith("| ")]
    for source in {s.name: s for stage in MANIFEST.stages.values() for s in stage.sources}.values():
        row = next(line for line in rows if line.startswith(f"| {source.name}"))
        assert source.licence in row
        assert source.origin in row
