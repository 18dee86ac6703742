"""deploy/proxy/haproxy.cfg as it runs in a test: other ports, a certificate of the test's own, and known servers."""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.architecture.sources import ROOT

CONFIGURATION = ROOT / "deploy" / "proxy" / "haproxy.cfg"


def certificate(place: Path) -> Path:
    """A certificate of `localhost`, in a file with its key in another, whose name HAProxy derives."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = place / "server.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    path.with_name("server.pem.key").write_bytes(key.private_bytes(*private))
    return path


def adapted(place: Path, *, http: int, https: int, servers: Sequence[int]) -> Path:
    """The configuration with what a test must change; each change must find its place."""
    named = "\n".join(f"    server api{port} 127.0.0.1:{port}" for port in servers)
    text = CONFIGURATION.read_text()
    for pattern, replacement in (
        (r"bind :8080", f"bind 127.0.0.1:{http}"),
        (r"bind :8443 ssl crt /run/secrets/server\.pem", f"bind 127.0.0.1:{https} ssl crt {certificate(place)}"),
        (r"    server-template api .*", named),
    ):
        text, found = re.subn(pattern, replacement, text)
        assert found == 1, pattern
    path = place / "haproxy.cfg"
    path.write_text(text)
    return path
