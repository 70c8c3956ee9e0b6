"""Signed bundles: what the signer made is accepted, everything else refused with a remedy."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emohead.bundle import MANIFEST_NAME, Bundle
from emohead.bundle_files import SIGNATURE_NAME
from emohead.cli import app
from emohead.errors import BundleError, InputError
from emohead.signature import KEYS_VARIABLE
from emohead.stages import STAGES
from emohead_export.cli import app as export_app
from emohead_export.signing import sign_bundle
from emohead_export.tiny import write_tiny_bundle

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def write_pair(folder: Path, name: str, password: bytes = b"") -> tuple[Path, Path]:
    """Files of a new private key and its public key."""
    key = ed25519.Ed25519PrivateKey.generate()
    closing = BestAvailableEncryption(password) if password else NoEncryption()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closing))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(tmp_path, "maker")


@pytest.fixture
def signed(tiny_bundle: Path, tmp_path: Path, pair: tuple[Path, Path]) -> Path:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "signed"))
    sign_bundle(copy, pair[0])
    return copy


def test_signed_folder_is_accepted(signed: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, other = write_pair(tmp_path, "other")
    for keys in ([pair[1]], [str(pair[1])], [pair[1].read_bytes()], [other, pair[1]]):
        assert Bundle.open(signed, trusted_keys=keys).extra_files == ()
    assert Bundle.open(Bundle.open(signed), trusted_keys=[pair[1]]).model("renderer")


def test_signed_zip_is_accepted_and_signed_again(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    path = tmp_path / "b.zip"
    write_tiny_bundle(path)
    with pytest.raises(BundleError, match=r"without a signature; .*emohead-export sign"):
        Bundle.open(path, trusted_keys=[pair[1]])
    sign_bundle(path, pair[0])
    assert list(Bundle.open(path, trusted_keys=[pair[1]]).manifest.stages) == list(STAGES)
    later, public = write_pair(tmp_path, "later")
    sign_bundle(path, later)
    with pytest.raises(BundleError, match="it says that"):
        Bundle.open(path, trusted_keys=[pair[1]])
    assert Bundle.open(path, trusted_keys=[public])


def _edit_name(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    (folder / MANIFEST_NAME).write_text(json.dumps({**manifest, "name": "mine"}))


def _flip_signature(folder: Path) -> None:
    record = json.loads((folder / SIGNATURE_NAME).read_text())
    flipped = "A" if record["signature"][3] != "A" else "B"
    record["signature"] = record["signature"][:3] + flipped + record["signature"][4:]
    (folder / SIGNATURE_NAME).write_text(json.dumps(record))


def _claim_key(folder: Path) -> None:
    record = json.loads((folder / SIGNATURE_NAME).read_text())
    (folder / SIGNATURE_NAME).write_text(json.dumps({**record, "key": "0" * 64}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_edit_name, "it was altered since"),
        (_flip_signature, "it was altered since"),
        (_claim_key, "it says that 000000000000"),
        (lambda f: (f / SIGNATURE_NAME).unlink(), "without a signature"),
        (lambda f: (f / SIGNATURE_NAME).write_text("[]"), "malformed at the whole file"),
        (lambda f: (f / SIGNATURE_NAME).write_text('{"key": "x"}'), "malformed at key"),
        (lambda f: (f / "setup.py").write_text("x"), "found setup.py; remove"),
        (lambda f: (f / "renderer.onnx").write_bytes(b"x"), "renderer.onnx with sha256"),
    ],
)
def test_whatever_changed_since_is_refused(
    signed: Path, pair: tuple[Path, Path], change: Callable[[Path], object], message: str
) -> None:
    change(signed)
    with pytest.raises(BundleError, match=message):
        Bundle.open(signed, trusted_keys=[pair[1]])


def test_signature_of_another_bundle_does_not_count(
    signed: Path, tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    other = tmp_path / "other"
    write_tiny_bundle(other)
    _edit_name(other)
    shutil.copy(signed / SIGNATURE_NAME, other)
    with pytest.raises(BundleError, match="altered since"):
        Bundle.open(other, trusted_keys=[pair[1]])


def test_keys_that_are_none_are_named(signed: Path, tmp_path: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for keys, message in (
        ([], "at least one trusted key"),
        ([tmp_path / "none.pem"], "none.pem does not exist: give an Ed25519 public key"),
        ([b"-----BEGIN"], "is not one in PEM"),
        ([pem], "is of another kind"),
    ):
        with pytest.raises(InputError, match=message):
            Bundle.open(signed, trusted_keys=keys)


def test_the_environment_asks_for_signatures_but_not_of_the_package(
    signed: Path, tiny_bundle: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, str(pair[1]))
    assert Bundle.open(signed)
    assert Bundle.open()
    with pytest.raises(BundleError, match="without a signature"):
        Bundle.open(tiny_bundle)
    with pytest.raises(BundleError, match="without a signature"):
        Bundle.open(trusted_keys=[pair[1]])


def test_commands_sign_and_verify(tiny_bundle: Path, tmp_path: Path) -> None:
    private, public = write_pair(tmp_path, "locked", b"open sesame")
    (tmp_path / "password").write_text("open sesame\n")
    copy = shutil.copytree(tiny_bundle, tmp_path / "copy")
    sign = ["sign", str(copy), "--key", str(private)]
    inspect = ["inspect", str(copy), "--public-key", str(public)]
    refused = CliRunner().invoke(export_app, sign)
    assert isinstance(refused.exception, InputError)
    assert "check the password" in str(refused.exception)
    assert CliRunner().invoke(app, inspect).exit_code == 2
    done = CliRunner().invoke(export_app, [*sign, "--password-file", str(tmp_path / "password")])
    assert "signed by" in done.output
    shown = CliRunner().invoke(app, inspect)
    assert (shown.exit_code, "intact and signed" in shown.stdout) == (0, True)


def test_bundles_with_strangers_in_them_are_not_signed(
    tiny_bundle: Path, tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    (copy / "notes.txt").write_text("x")
    with pytest.raises(BundleError, match=r"found notes.txt; remove them, then sign"):
        sign_bundle(copy, pair[0])
    assert not (copy / SIGNATURE_NAME).exists()
    (copy / "notes.txt").unlink()
    (copy / "renderer.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="altered"):
        sign_bundle(copy, pair[0])


def test_extra_members_of_a_signed_zip_are_refused(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    path = tmp_path / "b.zip"
    write_tiny_bundle(path)
    sign_bundle(path, pair[0])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra.onnx", b"x")
    assert Bundle.open(path).extra_files == ("extra.onnx",)
    with pytest.raises(BundleError, match=r"found extra.onnx"):
        Bundle.open(path, trusted_keys=[pair[1]])
