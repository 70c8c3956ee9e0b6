"""Signing a bundle: an Ed25519 signature over its manifest, put beside it as ``signature.json``.

Needs the extra ``sign``. Who calls: ``emohead-export sign``. Not here: checking signatures
(``emohead.signature``).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from emohead.bundle import MANIFEST_NAME, Bundle
from emohead.bundle_files import SIGNATURE_NAME, open_files
from emohead.errors import BundleError, InputError
from emohead.reading import read_file, shown
from emohead.signature import Signature, key_id, missing_extra, signed_message
from emohead.whole_files import whole_file
from emohead_export.writing import write_zip

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["sign_bundle"]

_ADVICE = "make one with `openssl genpkey -algorithm ed25519 -out KEY.pem`"


def sign_bundle(path: Path, key: Path, password: bytes | None = None) -> str:
    """Sign a bundle in its place, replacing the signature that it had.

    Parameters
    ----------
    path : pathlib.Path
        Folder or zip; verified before it is signed.
    key : pathlib.Path
        Ed25519 private key in PEM (PKCS #8).
    password : bytes, optional
        Opens the key, where it is encrypted.

    Returns
    -------
    str
        The signer's raw public key in hexadecimal.

    Raises
    ------
    BundleError
        When the bundle is altered, holds files that the manifest does not name, or cannot be
        written to.
    InputError
        When the key cannot be used.
    BackendError
        When ``cryptography`` is not installed.
    """
    signer = _private_key(key, password)
    bundle = Bundle.open(path, stages=())
    if bundle.extra_files:
        raise BundleError(
            f"{path}: expected only files that the manifest names, found "
            f"{shown(', '.join(bundle.extra_files))}; remove them, then sign"
        )
    files = open_files(path)
    manifest = files.read(MANIFEST_NAME, limit="manifest_bytes")
    public = signer.public_key()
    signature = base64.b64encode(signer.sign(signed_message(manifest))).decode()
    record = Signature(key=key_id(public), signature=signature)
    content = (record.model_dump_json(indent=1) + "\n").encode()
    try:
        if path.is_dir():
            with whole_file(path / SIGNATURE_NAME, "signature") as temporary:
                temporary.write_bytes(content)
        else:
            write_zip({n: files.read(n) for n in files.names()} | {SIGNATURE_NAME: content}, path)
    except InputError as err:
        raise BundleError(
            f"{path}: expected to write {SIGNATURE_NAME}: {err}; sign a copy"
        ) from err
    return record.key


def _private_key(path: Path, password: bytes | None) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as err:
        raise missing_extra(err) from err
    pem = read_file(path, "the private key", _ADVICE, limit="manifest_bytes")
    try:
        key = load_pem_private_key(pem, password)
    except (TypeError, ValueError, UnsupportedAlgorithm) as err:
        raise InputError(
            f"the private key {path} cannot be opened ({shown(err)}): check the password, "
            f"or {_ADVICE}"
        ) from err
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            f"the private key {path} must be of Ed25519, got {type(key).__name__}: {_ADVICE}"
        )
    return key
