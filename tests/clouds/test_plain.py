"""What is read off without botocore is what botocore would find, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldb.clouds.options import Options
from ldb.clouds.plain import PlainS3, plain_s3

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"


def test_environment() -> None:
    assert plain_s3(Options(), KEYS | REGION) == PlainS3("eu-west-1", None, "k", "s")
    more = {
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL": "http://a",
        "AWS_ENDPOINT_URL_S3": "http://b",
    }
    assert plain_s3(Options(), {**KEYS, **more}) == PlainS3("us-east-1", "http://b", "k", "s", "t")


def test_options_come_first() -> None:
    given = Options(key="x", secret="y", region="us-west-2", endpoint_url="http://c")
    env = {**KEYS, **REGION, "AWS_ENDPOINT_URL": "http://a", "AWS_SESSION_TOKEN": "t"}
    assert plain_s3(given, env) == PlainS3("us-west-2", "http://c", "x", "y")
    assert plain_s3(Options(anon=True), KEYS | REGION) == PlainS3("eu-west-1", None)


@pytest.mark.parametrize(
    "env",
    [
        {},
        REGION,
        KEYS,
        {**REGION, "AWS_ACCESS_KEY_ID": "k"},
        {**KEYS, "AWS_DEFAULT_REGION": "cn-north-1"},
        {**KEYS, **REGION, "AWS_PROFILE": "work"},
        {**KEYS, **REGION, "AWS_USE_FIPS_ENDPOINT": "true"},
        {**KEYS, **REGION, "FSSPEC_S3_KEY": "other"},
        {**KEYS, **REGION, "AWS_ENDPOINT_URL": "127.0.0.1:9000"},
    ],
)
def test_what_only_botocore_can_tell(env: dict[str, str]) -> None:
    assert plain_s3(Options(), env) is None
    assert plain_s3(Options(profile="work"), KEYS | REGION) is None


def test_a_server_without_tls_that_is_forbidden() -> None:
    env = {**KEYS, **REGION, "AWS_ENDPOINT_URL": "http://a"}
    assert plain_s3(Options(allow_http=False), env) is None
    assert plain_s3(Options(allow_http=True), env) == plain_s3(Options(), env) is not None
    assert plain_s3(Options(allow_http=False), {**env, "AWS_ENDPOINT_URL": "https://a"})


def test_files(home: Path) -> None:
    keys = "[work]\nrole_arn = r\n[default]\naws_access_key_id = f\naws_secret_access_key=g==\n"
    (home / "credentials").write_text(keys)
    (home / "config").write_text("[default]\n# where\nregion = eu-north-1\noutput=json\n")
    assert plain_s3(Options(), {}) == PlainS3("eu-north-1", None, "f", "g==")
    assert plain_s3(Options(), KEYS | REGION) == PlainS3("eu-west-1", None, "k", "s")


@pytest.mark.parametrize(
    "text",
    [
        "[default]\nendpoint_url = http://a\n",
        "[default]\nservices = mine\n",
        "[default]\ns3 =\n  addressing_style = virtual\n",
        "[default]\nrole_arn = r\nsource_profile = x\n",
        "[default]\nregion\n",
        "[default]\nregion = a\n b = c\n",
    ],
)
def test_files_that_say_more(home: Path, text: str) -> None:
    (home / "config").write_text(text)
    assert plain_s3(Options(), KEYS | REGION) is None
