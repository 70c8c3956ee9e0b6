"""``emohead study make`` and ``emohead study score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.options import AsJson
from emohead.cli.reporting import ends_cleanly, print_json, print_rows, say
from emohead.errors import InputError

if TYPE_CHECKING:
    from emohead.study.sources import Material

__all__ = ["study"]

study = typer.Typer(
    name="study", help="User study: a blind rating page, and its scores.", no_args_is_help=True
)

MethodOption = Annotated[
    list[str] | None, typer.Option(help="NAME=FOLDER of a method's clips; once per method.")
]
ManifestOption = Annotated[
    Path | None, typer.Option(help="CSV or JSON with method, set, path, instead of folders.")
]
PhotosOption = Annotated[
    Path | None, typer.Option(help="Folder with the neutral photo of every set.")
]
KeyOption = Annotated[
    Path | None, typer.Option(help="Where the key goes; OUT with .key.json added by default.")
]


@study.command()
@ends_cleanly
def make(
    out: Annotated[Path, typer.Option("--out", help="Folder of the page; new or empty.")],
    method: MethodOption = None,
    manifest: ManifestOption = None,
    photos: PhotosOption = None,
    key: KeyOption = None,
    participants: Annotated[int, typer.Option(help="People to plan orders for.")] = 24,
    checks: Annotated[int, typer.Option(help="Attention checks per participant.")] = 0,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Rating talking faces",
    seed: Annotated[int, typer.Option(help="Seed of orders and opaque names.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Lay out a page on which people rate clips blindly, side by side."""
    from emohead.study.make import StudyPlan, make_study

    material = _material(method, manifest, photos)
    plan = StudyPlan(title=title, num_participants=participants, num_checks=checks, seed=seed)
    named = out if out.name not in ("", "..") else out.resolve()
    key_path = named.with_name(f"{named.name}.key.json") if key is None else key
    made = make_study(material, plan, out, key_path)
    if as_json:
        print_json(
            {
                "page": str(out / "index.html"),
                "key": str(key_path),
                "study": made.study,
                "methods": list(material.methods),
                "sets": len(material.sets),
                "participants": participants,
            }
        )
        return
    clips = f"{len(made.clips)} in {len(material.sets)} sets"
    print_rows({"page": out / "index.html", "key": key_path, "clips": clips})
    say("note: give the page's folder away, keep the key")


@study.command()
@ends_cleanly
def score(
    answers: Annotated[
        list[Path], typer.Argument(help="Answers files, or folders of them.", show_default=False)
    ],
    key: Annotated[Path, typer.Option(help="The key that `make` wrote.")],
    keep_inattentive: Annotated[
        bool, typer.Option(help="Count those who failed an attention check too.")
    ] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Turn answers into means with intervals and paired differences."""
    from emohead.study.score import csv_of, read_answers, read_key, score_study, table_of

    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other: choose one")
    opened = read_key(key)
    result = score_study(opened, read_answers(answers, opened), keep_inattentive=keep_inattentive)
    if as_json:
        print_json(result)
    elif as_csv:
        print(csv_of(result), end="")
    else:
        print(table_of(result))


def _material(methods: list[str] | None, manifest: Path | None, photos: Path | None) -> Material:
    from emohead.study.sources import material_from_folders, material_from_manifest

    if bool(methods) == (manifest is not None):
        raise InputError("give either --method NAME=FOLDER for each method, or --manifest FILE")
    if manifest is not None and photos is not None:
        raise InputError("--photos goes with --method; a manifest has a column photo instead")
    if manifest is not None:
        return material_from_manifest(manifest)
    return material_from_folders(_methods(methods or []), photos)


def _methods(given: list[str]) -> dict[str, Path]:
    methods: dict[str, Path] = {}
    for text in given:
        name, sign, folder = text.partition("=")
        if not (name and sign and folder):
            raise InputError(f"the method {text!r} must be NAME=FOLDER: write ours=renders/ours")
        if name in methods:
            raise InputError(f"the method {name!r} is given twice: give each name once")
        methods[name] = Path(folder)
    return methods
