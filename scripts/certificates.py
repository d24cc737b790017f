"""Write the CA certificates that were added to this machine into a folder, one file each.

Usage: certificates.py FOLDER

A company's proxy that looks into TLS has a CA of its own; without it pip fails in an image's
build. Such a machine names its bundle in the variables that OpenSSL, pip and requests read.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
ADDED_HERE = Path("/usr/local/share/ca-certificates")
OF_THE_DISTRIBUTION = Path("/usr/share/ca-certificates")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates(file: Path) -> Iterator[str]:
    """Yield the certificates of a bundle, without the comments round them."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for found in CERTIFICATE.findall(text):
        yield found.replace("\r\n", "\n") + "\n"


def extra_certificates() -> set[str]:
    """Return those that this machine trusts and its distribution does not bring."""
    named = {Path(os.environ[name]) for name in VARIABLES if os.environ.get(name)}
    trusted = {item for file in (*named, *ADDED_HERE.rglob("*.crt")) for item in certificates(file)}
    usual = {item for file in OF_THE_DISTRIBUTION.rglob("*.crt") for item in certificates(file)}
    return trusted - usual


def main() -> None:
    """Write each certificate under a name made of its digest."""
    folder = Path(sys.argv[1])
    for certificate in extra_certificates():
        digest = hashlib.sha256(certificate.encode()).hexdigest()[:16]
        (folder / f"{digest}.crt").write_text(certificate)


if __name__ == "__main__":
    main()
