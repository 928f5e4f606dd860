"""Certificates for a cluster of one's own, as files: what `exmc-dask certs` writes."""

import os
from pathlib import Path

from distributed.security import Security

from exmc_dask.errors import OptionError

DAYS = 365
"""How long Dask's certificates hold."""


def write_certificates(folder: Path) -> tuple[Path, ...]:
    """Make a certificate and its key, and write them as a Kubernetes secret names them.

    Scheduler, workers and clients show the same certificate, which is its own authority: who has
    the three files takes part, who has not is refused.

    Parameters
    ----------
    folder : Path
        Made if need be, for its owner only.

    Returns
    -------
    tuple of Path
        ``ca.crt``, ``tls.crt`` and ``tls.key``, which only its owner may read.

    Raises
    ------
    OptionError
        A file is there already, the folder cannot be written, or the package cryptography is not
        installed.
    """
    try:
        security = Security.temporary()  # type: ignore[no-untyped-call]
    except ImportError:
        raise OptionError("certificates need cryptography: pip install 'exmc-dask[tls]'") from None
    texts = {
        "ca.crt": security.tls_ca_file,
        "tls.crt": security.tls_worker_cert,
        "tls.key": security.tls_worker_key,
    }
    there = [str(folder / name) for name in texts if (folder / name).exists()]
    if there:
        raise OptionError(f"{', '.join(there)}: there already; who uses it would be locked out")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in texts.items():
            mode = 0o600 if name == "tls.key" else 0o644
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)
    except OSError as error:
        raise OptionError(f"{error.filename}: {error.strerror}") from error
    return tuple(folder / name for name in texts)
