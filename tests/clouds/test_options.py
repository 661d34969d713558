"""Options: which are known where, which count for a URL, which are secret."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ldb.clouds import options
from ldb.clouds.opening import open_client, split_url
from ldb.clouds.options import SECRET, configure, options_for, read_options
from ldb.errors import BadInput, Unsupported


@pytest.fixture(autouse=True)
def nothing_configured() -> Iterator[None]:
    configure({})
    yield
    configure({})


def test_text_as_settings_hold_it() -> None:
    read = read_options({"anon": "yes", "timeout": "2.5", "retries": "3", "region": " eu "}, "s3")
    assert (read.anon, read.timeout, read.retries, read.region) == (True, 2.5, 3, "eu")
    assert read_options({"anon": "", "key": None}, "s3") == read_options({}, "s3")


@pytest.mark.parametrize(
    ("scheme", "given"),
    [
        ("s3", {"nonsense": "1"}),
        ("s3", {"account_key": "x"}),
        ("az", {"region": "eu"}),
        ("s3", {"anon": "perhaps"}),
        ("s3", {"timeout": "soon"}),
        ("s3", {"library": "boto"}),
        ("s3", {"timeout": "-1"}),
        ("gs", {"timeout": "nan"}),
        ("az", {"patience": "1e300"}),
        ("s3", {"retries": "-1"}),
        ("s3", {"endpoint_url": "127.0.0.1:9000"}),
        ("s3", {"endpoint_url": "ftp://127.0.0.1:9000"}),
        ("gs", {"endpoint_url": "http://"}),
    ],
)
def test_what_is_refused(scheme: str, given: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        read_options(given, scheme)
    with pytest.raises(BadInput):
        open_client(f"{scheme}://bucket", given)


@pytest.mark.parametrize("secret", ["ann:hidden@", "hidden@", ""])
def test_no_secret_in_an_address(secret: str) -> None:
    """It would go into the instance, for all to read."""
    address = f"https://{secret}host/" + ("" if secret else "?sig=hidden")
    with pytest.raises(BadInput) as caught:
        read_options({"endpoint_url": address}, "s3")
    assert "hidden" not in f"{caught.value} {caught.value.hint}"


def test_other_names_of_stores() -> None:
    configure({"aws://bucket": {"region": "a", "anon": True}, "azure://": {"sas_token": "b"}})
    assert options_for("s3://bucket/deep") == {"region": "a", "anon": True}
    assert options_for("az://container") == {"sas_token": "b"}
    configure({"AWS://bucket": {"region": "a"}, "s3://bucket/": {"anon": True}})
    assert options_for("s3://bucket") == {"region": "a", "anon": True}


def test_the_longest_prefix_counts() -> None:
    configure(
        {
            "s3://": {"region": "a", "anon": True},
            "s3://bucket/": {"region": "b"},
            "s3://bucket/deep": {"region": "c"},
        }
    )
    assert options_for("s3://bucket/deep/er") == {"region": "c", "anon": True}
    assert options_for("s3://bucket/deeper") == {"region": "b", "anon": True}
    assert options_for("s3://bucket") == {"region": "b", "anon": True}
    assert options_for("s3://buckets/x") == {"region": "a", "anon": True}
    assert options_for("gs://bucket") == {}


def test_secrets_are_not_shown() -> None:
    assert {"key", "secret", "token", "account_key", "sas_token", "connection_string"} == SECRET
    assert set(options.NAMES) > SECRET
    assert "hidden" not in repr(read_options({"secret": "hidden", "key": "hidden"}, "s3"))


def test_one_client_for_a_bucket_and_its_options() -> None:
    client = open_client("s3://bucket/a", {"anon": True})
    assert open_client("s3://bucket/b", {"anon": "true"}) is client
    assert open_client("s3://bucket/b", {"anon": False}) is not client
    assert open_client("s3://other", {"anon": True}) is not client
    configure({"s3://bucket": {"anon": True}})
    assert open_client("s3://bucket/c") is client


@pytest.mark.parametrize("url", ["s3:/bucket", "s3://", "bucket/key", "s3:///key"])
def test_urls_without_a_bucket(url: str) -> None:
    with pytest.raises(BadInput):
        split_url(url)


def test_other_schemes() -> None:
    with pytest.raises(Unsupported, match="ftp"):
        open_client("ftp://host/x")
