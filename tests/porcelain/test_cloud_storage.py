"""`add-storage` for buckets: what is tried, refused, warned of, and kept where."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldb.errors import BadInput, Conflict, LdbError, NotFound
from ldb.instance import Instance, Location, Settings, add_location, decode_settings
from ldb.objects.codec import encode
from ldb.porcelain.cloudstorage import add_cloud
from ldb.porcelain.storage import check_location, del_storage
from ldb.refs.name import SETTINGS
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.porcelain.cloudteam import Team, team_of, text_options


@pytest.fixture
def s3(s3_bucket: Bucket, instance: Instance, tmp_path: Path) -> Team:
    return team_of(s3_bucket, instance, tmp_path)


def known(team: Team) -> dict[str, Location]:
    locations = team.instance.settings().locations
    return {each.url.removeprefix(team.bucket.url): each for each in locations}


def test_what_is_registered_is_kept_until_it_is_said_otherwise(s3: Team) -> None:
    s3.bucket.fill({"p/a.jpg": b"a"})
    s3.register("/p/", trust_etag=True)
    assert known(s3)["/p"].trust_etag
    before = known(s3)["/p"]
    s3.register("/p", options={})
    assert known(s3) == {"/p": before}
    s3.register("/p", options={"requester_pays": "false"}, trust_etag=False, read_add=True)
    location = known(s3)["/p"]
    assert location.options == {**before.options, "requester_pays": "false"}
    assert (location.trust_etag, location.read_add) == (False, True)
    s3.register("/p/", options={"requester_pays": ""})
    assert known(s3)["/p"].options == before.options, "an empty one is taken back"
    del_storage(s3.place, f"{s3.bucket.url}/p")
    assert known(s3) == {}


def test_warnings_and_refusals(s3: Team) -> None:
    def add(path: str, **given: object) -> tuple[str, ...]:
        options = text_options(s3.bucket)
        url = f"aws://{s3.bucket.name}{path}"
        return add_cloud(s3.place, url, lambda *_: None, options=options, **given).warnings  # type: ignore[arg-type]

    s3.bucket.fill({"p/a.jpg": b"a"})
    assert add("/p") == ()
    assert [("nothing" in each) for each in add("/empty")] == [True]
    with pytest.raises(Conflict, match="overlaps"):
        add("/p/deeper")
    with pytest.raises(Conflict, match="overlaps"):
        add("")
    assert any("wider" in each for each in add("", force=True))
    add("/in", read_add=True, force=True)
    with pytest.raises(Conflict, match="one at most"):
        add("/other", read_add=True, force=True)
    assert s3.bucket.raw.list() == ["p/a.jpg"]


def test_missing_rights_show_at_once_and_nothing_is_registered_or_remembered(s3: Team) -> None:
    remembered: list[str] = []

    def add(bucket: Bucket, **given: object) -> None:
        options = text_options(bucket, retries="0")
        add_cloud(
            s3.place, f"{bucket.url}/p", lambda key, _: remembered.append(key),
            options={**options, **given.pop("options", {})},  # type: ignore[dict-item]
            **given,  # type: ignore[arg-type]
        )  # fmt: skip

    s3.bucket.fill({"p/a.jpg": b"a"})
    with s3.bucket.proxied() as bucket:
        assert bucket.proxy is not None
        for method, path, given in (
            ("GET", "list-type", {}),
            ("GET", r"a\.jpg", {}),
            ("PUT", r"\.ldb-", {"read_add": True}),
        ):
            bucket.proxy.add("status", method=method, path=path, code=403, body=b"")
            with pytest.raises(LdbError) as caught:
                add(bucket, **given)
            assert servers.SECRET not in str(caught.value)
            bucket.proxy.clear()
    secret = "not-the-right-secret"
    for options in ({"secret": secret}, {"sas_token": secret}, {"timeout": secret}):
        with pytest.raises(LdbError) as caught:
            add(s3.bucket, options=options)
        assert "timeout" in options or secret not in str(caught.value)
    with pytest.raises(NotFound):
        add_cloud(
            s3.place, "s3://no-such-bucket-at-all/p", lambda *_: None,
            options=text_options(s3.bucket),
        )  # fmt: skip
    assert known(s3) == {}
    assert remembered == []


def test_all_of_a_kind_of_store_may_hold_other_locations() -> None:
    settings = add_location(Settings(), Location("s3://"))
    check_location(settings, Location("s3://bucket/p"), force=False)
    assert Location("s3://").holds("s3://bucket/p")
    assert not Location("s3://").holds("gs://bucket/p")
    assert not Location("s3://bucket/p").holds("s3://bucket/prefix")


def test_settings_from_before_buckets_are_read_as_they_were_and_spelt_the_same(
    instance: Instance,
) -> None:
    old = encode({"locations": [{"read_add": True, "url": "file:///x"}]})
    settings = decode_settings(old, "here")
    assert settings == Settings((Location("file:///x", True),))
    instance.update_settings(lambda _: settings, "Ann")
    head = instance.refs.head(SETTINGS)
    assert head is not None
    assert head.target is not None
    assert instance.objects.get(head.target).payload == old


def test_a_bare_scheme_takes_no_options(s3: Team) -> None:
    with pytest.raises(BadInput, match="no bucket"):
        add_cloud(s3.place, "s3://", lambda *_: None, options={"region": "x"})
    added = add_cloud(s3.place, "s3://", lambda *_: None)
    assert "wider" in added.warnings[0]
