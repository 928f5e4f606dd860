"""The envelope of what travels as bytes: its kind, its version, and a hash of what is inside."""

from hashlib import sha256

import msgpack

from exmc_dask.errors import FormatError


def seal(magic: str, version: int, body: bytes) -> bytes:
    """Put a body into an envelope."""
    packed: bytes = msgpack.packb([magic, version, sha256(body).hexdigest(), body])
    return packed


def unseal(data: bytes, magic: str, version: int, refusal: str) -> bytes:
    """Return the body, of which the envelope says that it is whole.

    Parameters
    ----------
    refusal : str
        What is said of bytes that are no envelope at all.

    Raises
    ------
    FormatError
        The bytes are no envelope, or one of something else or of another version; or the body is
        damaged.
    """
    try:
        found, of, digest, body = msgpack.unpackb(data)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise FormatError(f"{refusal}: {error!r}") from None
    if found != magic or of != version:
        raise FormatError(f"{found!r} version {of!r} is not {magic!r} version {version}")
    if not isinstance(body, bytes) or sha256(body).hexdigest() != digest:
        raise FormatError("the model is damaged: its content does not match its hash")
    return body


def hash_of(data: bytes) -> str:
    """Return the hash that an envelope has of its body."""
    digest: str = msgpack.unpackb(data)[2]
    return digest
