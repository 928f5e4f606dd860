"""Certificates that `exmc-dask certs` writes open a cluster, and nothing else does."""

import sys

import pytest
from distributed import Client, LocalCluster
from distributed.security import Security

from exmc_dask.cluster.clusters.certificates import write_certificates
from exmc_dask.errors import OptionError


def security(folder):
    ca, certificate, key = (str(folder / name) for name in ("ca.crt", "tls.crt", "tls.key"))
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=ca,
        **{f"tls_{role}_cert": certificate for role in roles},
        **{f"tls_{role}_key": key for role in roles},
    )


def test_who_has_the_files_takes_part_and_others_are_refused(tmp_path):
    write_certificates(tmp_path / "ours")
    write_certificates(tmp_path / "theirs")
    options = {"n_workers": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**options, security=security(tmp_path / "ours")) as cluster:
        address = cluster.scheduler_address
        with Client(address, security=security(tmp_path / "ours")) as client:
            assert client.submit(abs, -1).result(timeout=20) == 1
        with pytest.raises(OSError, match="TLS certificate does not match"):
            Client(address, security=security(tmp_path / "theirs"), timeout=5)

    assert address.startswith("tls://")


def test_only_the_owner_reads_the_key(tmp_path):
    modes = {path.name: path.stat().st_mode & 0o777 for path in write_certificates(tmp_path / "n")}

    assert modes["tls.key"] == 0o600
    assert (tmp_path / "n").stat().st_mode & 0o777 == 0o700


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "tls.key").write_text("mine")

    with pytest.raises(OptionError, match=r"tls\.key: there already"):
        write_certificates(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tls.key"]


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OptionError, match="file/certs: Not a directory"):
        write_certificates(tmp_path / "file" / "certs")


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(OptionError, match=r"pip install 'exmc-dask\[tls\]'"):
        write_certificates(tmp_path)
