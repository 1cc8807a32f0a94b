"""Certificates for servers and clients, good ones and bad ones, made anew for each test run."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme

_BEGAN, _ENDED = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and of its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """Files to hand to servers and to clients. Servers and clients alike trust whoever `ca` vouches for."""

    ca: Path
    """The certificate of the authority that vouches for all but `of_other_ca`."""
    right: Pair
    """A server's, for 127.0.0.1 and localhost."""
    wrong_name: Pair
    """A server's, for another machine."""
    expired: Pair
    """A server's, which ended long ago."""
    of_other_ca: Pair
    """A server's or a client's, for which an authority vouches that nobody trusts."""
    client: Pair
    """A client's."""


@dataclass(frozen=True)
class TLS:
    """How a server talks TLS: what it shows, and whether it asks its clients for a certificate, too."""

    certificates: Certificates
    shown: Pair
    asks_clients: bool = False

    def lines(self) -> Iterable[str]:
        """Give the lines of the server's configuration."""
        return (
            f"tls-cert-file {self.shown.certificate}",
            f"tls-key-file {self.shown.key}",
            f"tls-ca-cert-file {self.certificates.ca}",
            f"tls-auth-clients {'yes' if self.asks_clients else 'no'}",
        )


def make_certificates(folder: Path) -> Certificates:
    """Make all of them, in `folder`."""
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))

    def pair(name: str, made: trustme.LeafCert) -> Pair:
        files = Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")
        made.private_key_pem.write_to_path(str(files.key))
        for number, blob in enumerate(made.cert_chain_pems):
            blob.write_to_path(str(files.certificate), append=number > 0)
        return files

    here = ("127.0.0.1", "localhost")
    return Certificates(
        ca=folder / "ca.pem",
        right=pair("right", ca.issue_cert(*here)),
        wrong_name=pair("wrong-name", ca.issue_cert("elsewhere.example")),
        expired=pair("expired", ca.issue_cert(*here, not_before=_BEGAN, not_after=_ENDED)),
        of_other_ca=pair("of-other-ca", other.issue_cert(*here)),
        client=pair("client", ca.issue_cert("client.example")),
    )
