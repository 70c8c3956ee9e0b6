"""Content credentials with certificates that the test makes."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from emohead.clip import Clip
from emohead.errors import EmoheadError, InputError
from emohead.provenance import signing
from emohead.provenance.signing import SOURCE_TYPE, Signer, read_signature
from emohead.provenance.verifying import verify_video

from .authority import Authority, make_authority

pytest.importorskip("c2pa")


@pytest.fixture(scope="module")
def signed(clip: Clip, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    signer = Signer(cert=authority.chain, key=authority.key)
    return clip.save(tmp_path_factory.mktemp("signed") / "a.mp4", sign=signer)


def test_signed_video_is_intact_and_says_who_signed(signed: Path, authority: Authority) -> None:
    verdict = verify_video(signed)
    assert verdict.is_intact
    assert verdict.signature.state == "valid"
    assert verdict.signature.signed_by == "Test Signer, Test House"
    assert verdict.signature.source_type == SOURCE_TYPE
    assert SOURCE_TYPE.endswith("/trainedAlgorithmicMedia")


def test_root_makes_the_signature_trusted_and_another_does_not(
    signed: Path, authority: Authority
) -> None:
    assert verify_video(signed, anchors=authority.root).signature.state == "trusted"
    other = read_signature(signed, make_authority().root)
    assert other.state == "valid"
    assert "signingCredential.untrusted" in other.problems


def test_signed_manifest_is_the_one_in_the_file(signed: Path) -> None:
    import c2pa

    with c2pa.Reader(str(signed)) as reader:
        assertions = reader.get_active_manifest()["assertions"]
    held = next(a["data"] for a in assertions if a["label"] == signing.ASSERTION)
    manifest = verify_video(signed).manifest
    assert held["content"]["video_sha256"] == manifest.content.video_sha256
    assert held["made"]["face"]["file_sha256"] == manifest.made.face.file_sha256
    assert "run" not in held


def test_a_changed_manifest_breaks_the_signature(signed: Path, tmp_path: Path) -> None:
    data = signed.read_bytes()
    at = data.index(b'"seed":7')
    (tmp_path / "b.mp4").write_bytes(data[:at] + b'"seed":8' + data[at + 8 :])
    verdict = verify_video(tmp_path / "b.mp4")
    assert verdict.manifest.made.settings.seed == 8
    assert verdict.pictures == "intact"
    assert verdict.signature.state == "invalid"
    assert "assertion.bmffHash.mismatch" in verdict.signature.problems
    assert not verdict.is_intact


def test_signed_video_plays_and_starts_with_its_index(signed: Path) -> None:
    with av.open(str(signed)) as container:
        assert len(list(container.decode(video=0))) == 10
    data = signed.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "p384"])
def test_other_keys_sign_too(rendered: Path, tmp_path: Path, kind: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    keys = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    }
    made = make_authority(keys[kind]())
    Signer(cert=made.chain, key=made.key).sign(rendered, tmp_path / "b.mp4", None)
    assert read_signature(tmp_path / "b.mp4", made.root).state == "trusted"


def test_key_of_another_certificate_is_refused(authority: Authority) -> None:
    with pytest.raises(InputError, match="does not belong"):
        Signer(cert=authority.chain, key=make_authority().key)


def test_what_is_no_pem_is_refused(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be PEM"):
        Signer(cert=b"no certificate", key=authority.key)
    with pytest.raises(InputError, match="cannot be read"):
        Signer(cert=tmp_path / "none.pem", key=authority.key)


def test_certificate_for_something_else_leaves_no_file(
    clip: Clip, authority: Authority, tmp_path: Path
) -> None:
    signer = Signer(cert=authority.chain, key=authority.key)
    object.__setattr__(signer, "_chain", authority.root)  # a root may not sign claims
    with pytest.raises(EmoheadError, match="could not be signed"):
        clip.save(tmp_path / "a.mp4", sign=signer)
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_not_shown(authority: Authority) -> None:
    assert "PRIVATE" not in repr(Signer(cert=authority.chain, key=authority.key))


def test_without_the_extra_a_signature_is_unchecked(signed: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    found = read_signature(signed)
    assert found.state == "unchecked"
    assert "emohead[sign]" in found.problems[0]


@pytest.mark.parametrize("anchors", [b"no certificate", b"", b"\xff\xfe\x00"])
def test_roots_that_are_none_are_not_the_videos_fault(signed: Path, anchors: bytes) -> None:
    with pytest.raises(InputError, match="the root certificates must be PEM"):
        verify_video(signed, anchors=anchors)
