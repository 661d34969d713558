"""Secrets do not come out of `redact`, whatever they look like and wherever they stand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.redact import HIDDEN, is_secret, redact

SECRETS = st.text("ABCDEFabcdef0123456789+/=_-.~%", min_size=12, max_size=60).filter(
    lambda text: text.strip("=%") == text
)

PLACES = [
    "https://user:{}@host/path",
    "s3://{0}:{0}@bucket/key failed",
    "postgres://user:pa/{}@host/db",
    "GET https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature={}&x=1",
    "https://b.s3.amazonaws.com/k?X-Amz-Security-Token={}",
    "https://acc.blob.core.windows.net/c/b?sv=2024&sig={}&se=1",
    "https://storage.googleapis.com/b/k?X-Goog-Signature={}",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x",
    "BlobEndpoint=https://a;SharedAccessSignature={}",
    "https://acc/c?SharedAccessSignature={}",
    "Authorization: Bearer {}",
    "authorization: AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature={}",
    "'Authorization': 'SharedKey acc:{}'",
    "sent bearer {} and got 403",
    "secret={}",
    "aws_secret_access_key = {}",
    "AWS_SESSION_TOKEN={} ldb index",
    "password={}",
    "connection_string={}",
    "token: {}",
    "S3FileSystem(key='{0}', secret='{0}')",
    "{{'client_secret': '{}'}}",
    "storage.s3://bucket.secret = {}",
    "account_key=b'{}'",
    "url%3Fsig%3D{}",
    '{{\\"secret\\": \\"{}\\"}}',
    "sas_token='?sv=1&sig={}'",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=25)
@given(secret=SECRETS)
def test_no_secret_comes_through(place: str, secret: str) -> None:
    if place.startswith(("https://user:{", "s3://{")):
        # A slash ends the user's part of a URL: `h:80/x@y` is a port and a path.
        secret = secret.replace("/", "_")
    found = redact(place.format(secret))
    assert secret not in found
    assert HIDDEN in found


@given(st.dictionaries(st.sampled_from(["secret", "token", "password"]), SECRETS, min_size=1))
def test_json_and_python_spellings(options: dict[str, str]) -> None:
    for text in (json.dumps(options), json.dumps(json.dumps(options)), repr(options)):
        assert not any(secret in redact(text) for secret in options.values())


@given(st.text() | st.lists(st.sampled_from([*PLACES, "a", "=", "@", "://", '"'])).map("".join))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(redact(text), str)


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/photos/me@home.jpg: not found",
        "http://127.0.0.1:9000/bucket/a@b answered 503",
        "key not found: objects/ab/cd",
        "/home/ann/data/0001.jpg: bad JSON: expecting value (line 1, column 2)",
        "ds:cats.v3: expected v3, found v4",
        "git@host:path, ann@example.org",
        "disaster: monkey: turkey",
        "SignatureDoesNotMatch: The request signature we calculated does not match",
        "botocore.exceptions.InvalidToken: The provided token is malformed",
        "403 ExpiredToken: Provided token has expired",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("SignatureDoesNotMatch: wJalrXUtnFEMI", f"SignatureDoesNotMatch: {HIDDEN}"),
        ("SignatureDoesNotMatch: The token=abc", f"SignatureDoesNotMatch: The token={HIDDEN}"),
        ("SignatureDoesNotMatch=The secret", f"SignatureDoesNotMatch={HIDDEN} secret"),
        ("InvalidToken: AbCdEf", f"InvalidToken: {HIDDEN}"),
        ("InvalidToken: AbCdEf gHi", f"InvalidToken: {HIDDEN} gHi"),
        ("InvalidToken: Abc1 is it", f"InvalidToken: {HIDDEN} is it"),
        ("my_InvalidToken: The end", f"my_InvalidToken: {HIDDEN} end"),
    ],
)
def test_codes_of_errors_let_nothing_but_a_sentence_through(text: str, left: str) -> None:
    assert redact(text) == left


def test_the_rest_of_a_message_stays() -> None:
    assert (
        redact("GET https://u:p@h/k?a=1&sig=x&b=2: 403")
        == "GET https://***@h/k?a=1&sig=***&b=2: 403"
    )


def test_access_keys_of_aws_are_seen_by_themselves() -> None:
    assert redact("no AKIAABCDEFGHIJKLMNOP here") == f"no {HIDDEN} here"


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "key",
        "AWS_SECRET_ACCESS_KEY",
        "sas_token",
        "sig",
        "connection_string",
        "Authorization",
        "a.b.password",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["region", "endpoint_url", "monkey", "author", "size"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    "piece",
    ["token", "a", "a://", "a:b@", '"', "key=", "key='", '\\"', "-----BEGIN A PRIVATE KEY-----"],
)
def test_long_texts_take_no_long_time(piece: str) -> None:
    """Patterns that look further and further back would take minutes here."""
    redact(piece * 4_000)
