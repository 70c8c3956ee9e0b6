"""Who made a bundle: an Ed25519 signature over its manifest, which names every file by sha256.

Verifying needs the extra ``sign``. Called by ``bundle.py``. Not here: making signatures
(``emohead_export.signing``).
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emohead.bundle_files import SIGNATURE_NAME
from emohead.errors import BackendError, BundleError, InputError
from emohead.reading import first_problem, read_file, shown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = [
    "KEYS_VARIABLE",
    "Key",
    "Signature",
    "check_signature",
    "key_id",
    "keys_of_environment",
    "missing_extra",
    "read_public_keys",
    "signed_message",
]

KEYS_VARIABLE: Final = "EMOHEAD_TRUSTED_KEYS"
"""Environment variable with the paths of public keys, separated as in PATH."""
_DOMAIN: Final = b"emohead bundle manifest, version 1\n"
_ADVICE: Final = "give an Ed25519 public key in PEM, as `openssl pkey -pubout` writes it"

Key = str | Path | bytes
"""A public key: the path of a PEM file, or the PEM itself as bytes."""


class Signature(BaseModel):
    """Content of ``signature.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["emohead-signature/1"] = "emohead-signature/1"
    algorithm: Literal["Ed25519"] = "Ed25519"
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Raw public key of the signer, hexadecimal: says which key to look for, proves nothing."""
    signature: Annotated[str, Field(max_length=100)]
    """Base64 of the 64 bytes."""


def signed_message(manifest: bytes) -> bytes:
    """Return what is signed: the manifest's bytes after a prefix that no other use shares."""
    return _DOMAIN + manifest


def keys_of_environment() -> tuple[Key, ...] | None:
    """Return the keys that the environment names; None where it names none."""
    text = os.environ.get(KEYS_VARIABLE, "")
    return tuple(part for part in text.split(os.pathsep) if part) or None


def check_signature(
    manifest: bytes, signature: bytes | None, keys: Sequence[Key], where: Path
) -> None:
    """Refuse a manifest that none of the keys has signed.

    Parameters
    ----------
    manifest : bytes
        Content of the manifest.
    signature : bytes or None
        Content of ``signature.json``; None where the bundle has none.
    keys : sequence of Key
        Whoever is trusted.
    where : pathlib.Path
        The bundle, for the message.

    Raises
    ------
    BundleError
        When it is unsigned, signed by somebody else, or altered since.
    InputError
        When a key cannot be read, or none is given.
    BackendError
        When ``cryptography`` is not installed.
    """
    trusted = read_public_keys(keys)
    if signature is None:
        raise BundleError(
            f"{where}: expected a bundle signed by {_names(trusted)}, got one without a signature; "
            "get it from its maker, or sign it with `emohead-export sign BUNDLE --key KEY.pem`"
        )
    record = _read_signature(signature, where)
    signer = trusted.get(record.key)
    if signer is None:
        raise BundleError(
            f"{where}: expected a bundle signed by {_names(trusted)}, it says that "
            f"{record.key[:12]} signed it; get it from its maker, or trust that key too"
        )
    _verify(signer, record, manifest, where)


def _verify(signer: Ed25519PublicKey, record: Signature, manifest: bytes, where: Path) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        signer.verify(base64.b64decode(record.signature, validate=True), signed_message(manifest))
    except (InvalidSignature, binascii.Error) as err:
        raise BundleError(
            f"{where}: expected the manifest that {record.key[:12]} signed, it was altered since; "
            "do not use this bundle, get it from its maker"
        ) from err


def read_public_keys(keys: Sequence[Key]) -> dict[str, Ed25519PublicKey]:
    """Read public keys.

    Parameters
    ----------
    keys : sequence of Key
        At least one.

    Returns
    -------
    dict of str to Ed25519PublicKey
        By their raw bytes in hexadecimal.

    Raises
    ------
    InputError
        When one cannot be read or is of another kind, or none is given.
    BackendError
        When ``cryptography`` is not installed.
    """
    if not keys:
        raise InputError(f"expected at least one trusted key, got none: {_ADVICE}")
    found = [_public_key(key) for key in keys]
    return {key_id(key): key for key in found}


def key_id(key: Ed25519PublicKey) -> str:
    """Return the raw bytes of a public key in hexadecimal."""
    return key.public_bytes_raw().hex()


def missing_extra(err: ImportError) -> BackendError:
    """Error that names the extra whose package could not be imported."""
    return BackendError(
        f"expected the extra `sign`, but {err.name or 'a package'} cannot be imported; "
        "run `pip install 'emohead[sign]'`"
    )


def _public_key(given: Key) -> Ed25519PublicKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as err:
        raise missing_extra(err) from err
    what = "the public key" if isinstance(given, bytes) else f"the public key {shown(given)}"
    pem = given
    if not isinstance(pem, bytes):
        pem = read_file(pem, "the public key", _ADVICE, limit="manifest_bytes")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as err:
        raise InputError(f"{what} is not one in PEM: {_ADVICE}") from err
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{what} is of another kind ({type(key).__name__}): {_ADVICE}")
    return key


def _read_signature(content: bytes, where: Path) -> Signature:
    try:
        return Signature.model_validate_json(content)
    except ValidationError as err:
        field, problem = first_problem(err, "the whole file")
        raise BundleError(
            f"{where}: {SIGNATURE_NAME} is malformed at {field} ({problem}); "
            "get the bundle from its maker, or sign it again"
        ) from err


def _names(trusted: dict[str, Ed25519PublicKey]) -> str:
    return " or ".join(name[:12] for name in trusted)
