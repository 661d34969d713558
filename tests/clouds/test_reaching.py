"""Ways to reach a bucket: profiles of the AWS files, paying for requests, TLS."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest

from ldb.clouds.base import Get
from ldb.clouds.opening import open_client
from ldb.errors import BadInput, LdbError, StoreFailed
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.clouds.reach import use

pytestmark = pytest.mark.cloud
PROJECT = Path(__file__).parents[2]
LIBRARIES = ["fsspec", "obstore"]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_bucket: Bucket) -> str:
    """A profile that reaches the bucket, in AWS files whose default one does not."""
    config, keys = tmp_path / "config", tmp_path / "credentials"
    config.write_text(
        "[default]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:9\n"
        f"[profile work]\nregion = us-east-1\nendpoint_url = {s3_bucket.address}\n"
    )
    keys.write_text(
        "[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n"
        f"[work]\naws_access_key_id = {servers.KEY}\naws_secret_access_key = {servers.SECRET}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    return "work"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_profile(s3_bucket: Bucket, profile: str, library: str) -> None:
    use(open_client(s3_bucket.url, {"profile": profile, "library": library, "allow_http": True}))


def test_the_profile_of_the_environment(
    s3_bucket: Bucket, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", profile)
    use(open_client(s3_bucket.url, {"allow_http": True, "retries": 1}))


def test_a_profile_that_is_not_there(s3_bucket: Bucket, profile: str) -> None:
    client = open_client(s3_bucket.url, {"profile": "wrong", "allow_http": True})
    with pytest.raises(LdbError, match="wrong") as caught:
        client.get(Get("a"))
    assert servers.SECRET not in str(caught.value)


@pytest.mark.parametrize("library", LIBRARIES)
def test_requests_are_paid_for(s3_bucket: Bucket, library: str) -> None:
    """Each of them says so, or Amazon refuses it."""
    with s3_bucket.proxied() as other:
        assert other.proxy is not None
        use(other.client(library=library, requester_pays=True))
        seen = other.proxy.log
        unpaid = [each for each in seen if each.headers.get(b"x-amz-request-payer") != b"requester"]
        assert not [each for each in unpaid if not knows_the_server(each.method, each.path)]
        other.proxy.clear()
        use(other.client(library=library))
        assert not [each for each in seen if b"x-amz-request-payer" in each.headers]


def knows_the_server(method: str, path: str) -> bool:
    """Whether this is the unsigned request that asks who the server is (not Amazon's)."""
    return method == "HEAD" and path.count("/") == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_server_without_tls_can_be_forbidden(bucket: Bucket, library: str) -> None:
    with bucket.proxied() as other:
        assert other.proxy is not None
        client = other.client(allow_http=False, library=library)
        with pytest.raises(BadInput, match="allow_http"):
            client.create("a", b"1")
        with pytest.raises(BadInput, match="allow_http"):
            list(client.list())
        assert other.proxy.log == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_half_an_address_in_the_environment(
    s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """Rust panicked at it, and botocore calls it a ValueError."""
    for name, value in s3_bucket.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_bucket.address.removeprefix("http://"))
    with pytest.raises(StoreFailed, match="endpoint") as caught:
        list(open_client(s3_bucket.url, {"library": library}).list())
    assert "AWS_ENDPOINT_URL" in caught.value.hint


def test_a_server_that_is_not_there(bucket: Bucket) -> None:
    """It may be the address that is wrong, not the time."""
    gone = Bucket(bucket.scheme, bucket.server, bucket.name, "http://127.0.0.1:9")
    with pytest.raises(StoreFailed, match=r"127\.0\.0\.1") as caught:
        list(gone.client(retries=0).list())
    assert "address" in caught.value.hint
    gone.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody has signed, and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the team's own")])
    now = datetime.now(timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "authority.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture(params=["s3_bucket", "gs_bucket", "az_bucket"])
def encrypted(request: pytest.FixtureRequest, authority: Path) -> Iterator[Bucket]:
    bucket: Bucket = request.getfixturevalue(request.param)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority)
    with bucket.proxied(tls) as other:
        yield other


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.slow
def test_tls(encrypted: Bucket, authority: Path, library: str) -> None:
    """In a process of its own: some of these variables are read once, when it starts."""
    variable = "AWS_CA_BUNDLE" if encrypted.scheme == "s3" else "SSL_CERT_FILE"
    done = subprocess.run(
        [sys.executable, "-m", "tests.clouds.reach", encrypted.url, library],
        cwd=PROJECT,
        env={**os.environ, **encrypted.environ, variable: str(authority)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert encrypted.proxy is not None
    assert encrypted.proxy.log


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.slow
def test_tls_of_an_unknown_authority(encrypted: Bucket, library: str) -> None:
    with pytest.raises(StoreFailed, match=r"(?i)certificate"):
        encrypted.client(library=library, retries=1).get(Get("a"))
    assert encrypted.proxy is not None
    assert not encrypted.proxy.log
