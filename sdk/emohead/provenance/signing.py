"""Signed videos: content credentials (C2PA) with the user's own certificate.

Needs the extra ``sign``. Who calls: ``VideoWriter`` signs, ``verifying.py`` reads.
Not here: which certificates are to be trusted; that is for whoever verifies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import emohead
from emohead.errors import BackendError, EmoheadError, InputError

if TYPE_CHECKING:
    from emohead.provenance.schema import ClipManifest

__all__ = ["SOURCE_TYPE", "Signature", "Signer", "read_signature"]

SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""What the claim says of how the pictures came about."""
ASSERTION: Final = "org.emohead.manifest"
"""Label of the assertion that holds the manifest."""
_MP4: Final = "video/mp4"
_BOX: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""UUID of the box of an mp4 that holds content credentials (C2PA specification, BMFF)."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Signs videos with a certificate; the key is read once and checked against it.

    Parameters
    ----------
    cert : path or bytes
        Chain in PEM: the signing certificate first, the root last or left out.
    key : path or bytes
        Its private key, PEM without a passphrase: EC, RSA or Ed25519.
    timestamp_url : str, optional
        Address of a time-stamping service (RFC 3161); it is called for every video.

    Raises
    ------
    InputError
        If certificate or key cannot be used.
    BackendError
        If the extra ``sign`` is not installed.
    """

    cert: str | Path | bytes = field(repr=False)
    key: str | Path | bytes = field(repr=False)
    timestamp_url: str | None = None
    _chain: bytes = field(init=False, repr=False)
    _pem: bytes = field(init=False, repr=False)
    _algorithm: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        chain, pem = _content(self.cert, "certificate"), _content(self.key, "private key")
        object.__setattr__(self, "_chain", chain)
        object.__setattr__(self, "_algorithm", _checked_pair(chain, pem))
        object.__setattr__(self, "_pem", pem)

    def sign(self, source: Path, target: Path, manifest: ClipManifest | None) -> None:
        """Copy a video with content credentials added.

        Parameters
        ----------
        source, target : Path
            Two different mp4 files.
        manifest : ClipManifest or None
            Becomes an assertion, without its times.

        Raises
        ------
        EmoheadError
            If the certificate is not one for C2PA, or the file cannot be written.
        """
        c2pa = _library()
        try:
            info = c2pa.C2paSignerInfo(
                self._algorithm.encode(), self._chain, self._pem, self.timestamp_url
            )
            with (
                c2pa.Signer.from_info(info) as signer,
                c2pa.Builder(_claim(manifest)) as builder,
                open(source, "rb") as given,
                open(target, "w+b") as made,
            ):
                builder.sign(signer, _MP4, given, made)
        except c2pa.C2paError as err:
            raise EmoheadError(
                f"the video could not be signed ({err}): C2PA wants a certificate with the key "
                "usage digitalSignature and the extended key usage emailProtection or "
                "documentSigning, with its chain"
            ) from err


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What is known of a video's content credentials."""

    state: Literal["none", "unchecked", "invalid", "valid", "trusted"]
    """``valid``: whole, by a certificate that nobody vouches for; ``trusted``: one that the
    anchors given vouch for; ``unchecked``: the extra ``sign`` is missing."""
    signed_by: str = ""
    """Common name and organisation of the certificate."""
    source_type: str = ""
    """What the claim says of how the pictures came about."""
    problems: tuple[str, ...] = ()
    """Codes of what does not agree."""


def read_signature(path: Path, anchors: bytes | None = None) -> Signature:
    """Check a video's content credentials, without the network.

    Parameters
    ----------
    path : Path
    anchors : bytes, optional
        Root certificates to trust, PEM.

    Returns
    -------
    Signature

    Raises
    ------
    InputError
        If the video is signed and `anchors` holds no certificates.
    """
    if not _has_box(path):
        return Signature(state="none")
    try:
        c2pa = _library()
    except BackendError as err:
        return Signature(state="unchecked", problems=(str(err),))
    verify = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}
    settings: dict[str, Any] = {"verify": verify}
    if anchors is not None:
        settings["trust"] = {"user_anchors": _checked_roots(anchors)}
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(settings))
        with open(path, "rb") as file, c2pa.Reader(_MP4, file, context=context) as reader:
            return _signature(reader)
    except c2pa.C2paError as err:
        return Signature(state="invalid", problems=(_plain(str(err)),))


def _signature(reader: Any) -> Signature:
    state = str(reader.get_validation_state() or "Invalid").lower()
    active = reader.get_active_manifest() or {}
    signer = active.get("signature_info") or {}
    results = (reader.get_validation_results() or {}).get("activeManifest") or {}
    names = (signer.get("common_name"), signer.get("issuer"))
    return Signature(
        state="trusted" if state == "trusted" else "valid" if state == "valid" else "invalid",
        signed_by=_plain(", ".join(str(name) for name in names if name)),
        source_type=_plain(_source_type(active)),
        problems=tuple(_plain(str(f.get("code"))) for f in results.get("failure", [])[:20]),
    )


def _source_type(active: dict[str, Any]) -> str:
    for assertion in active.get("assertions", []):
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            for action in assertion.get("data", {}).get("actions", []):
                if action.get("digitalSourceType"):
                    return str(action["digitalSourceType"])
    return ""


def _claim(manifest: ClipManifest | None) -> dict[str, Any]:
    created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}
    assertions: list[dict[str, Any]] = [
        {"label": "c2pa.actions", "data": {"actions": [created]}},
    ]
    if manifest is not None:
        data = manifest.model_dump(mode="json", exclude={"run"})
        assertions.append({"label": ASSERTION, "data": data})
    return {
        "claim_generator_info": [{"name": "emohead", "version": emohead.__version__}],
        "format": _MP4,
        "title": "Synthetic talking head",
        "assertions": assertions,
    }


def _library() -> Any:
    try:
        import c2pa
    except ImportError as err:
        raise BackendError(
            "expected the extra `sign` for content credentials, but c2pa-python cannot be "
            "imported; run `pip install 'emohead[sign]'`"
        ) from err
    return c2pa


def _content(given: str | Path | bytes, what: str) -> bytes:
    if isinstance(given, bytes):
        return given
    try:
        return Path(given).read_bytes()
    except OSError as err:
        raise InputError(
            f"the {what} {given} cannot be read ({err.strerror}): give the path of a PEM file"
        ) from err


def _checked_pair(chain: bytes, pem: bytes) -> str:
    """Name the algorithm of a key that belongs to the chain's first certificate."""
    _library()
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, IndexError) as err:
        raise InputError(
            f"certificate and key must be PEM, the key without a passphrase ({err}): "
            "convert them with openssl"
        ) from err
    if key.public_key() != leaf.public_key():
        raise InputError(
            "the private key does not belong to the first certificate: put the signing "
            "certificate first in the chain, or give its key"
        )
    return _algorithm_of(key)


def _checked_roots(pem: bytes) -> str:
    """Text of certificates; without the check a wrong file would look like a wrong signature."""
    from cryptography import x509

    try:
        x509.load_pem_x509_certificates(pem)
        return pem.decode("ascii", "replace")  # remarks between them may be in any tongue
    except ValueError as err:
        raise InputError(
            f"the root certificates must be PEM ({err}): give those that a signature must lead to"
        ) from err


def _algorithm_of(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    by_curve = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in by_curve:
        return by_curve[key.curve.name]
    raise InputError(
        f"a key of the type {type(key).__name__} cannot sign C2PA: "
        "take EC (P-256, P-384, P-521), RSA or Ed25519"
    )


def _has_box(path: Path) -> bool:
    """Whether a top-level box of the mp4 holds content credentials."""
    with open(path, "rb") as file:
        end = file.seek(0, 2)
        at = 0
        while at + 8 <= end:
            file.seek(at)
            head = file.read(32)
            size, start = int.from_bytes(head[:4], "big"), 8
            if size == 1:
                size, start = int.from_bytes(head[8:16], "big"), 16
            if head[4:8] == b"uuid" and head[start : start + 16] == _BOX:
                return True
            if size < start:  # 0 means to the end of the file, less is no box
                return False
            at += size
    return False


def _plain(text: str) -> str:
    """Printable ASCII, for it goes to a terminal."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:300]
