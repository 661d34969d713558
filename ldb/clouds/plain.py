"""How an S3 bucket is reached, where that can be read off without botocore.

Loading botocore takes half a second, longer than a query of a cached instance. So where address
and keys stand in options, in the environment or in plain lines of the AWS files, they are taken
from there in botocore's order. Whatever else might have a say (profiles, roles, anything in
those files that is not listed here) makes `plain_s3` answer None, and botocore finds out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ldb.clouds.options import Options

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_HARMLESS = frozenset((*_KEYS, "region", "output", "cli_pager", "cli_auto_prompt"))
"""What may stand in the default section of an AWS file."""
_FILES = (("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config"))
_ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""Variables that botocore obeys and obstore does not."""
_OTHER_PARTITIONS = ("cn-", "us-iso", "eu-isoe-", "eusc-")


@dataclass(frozen=True, slots=True)
class PlainS3:
    """Address and keys; without an endpoint it is Amazon's of the region."""

    region: str
    endpoint: str | None
    key: str | None = None
    """None: requests are not signed."""
    secret: str | None = None
    token: str | None = None


def plain_s3(options: Options, environ: Mapping[str, str] | None = None) -> PlainS3 | None:
    """What botocore would find, or None where only it can tell."""
    env = os.environ if environ is None else environ  # noqa: TID251  (as in `options.py`)
    if options.profile or any(env.get(name) for name in _ELSEWHERE) or _fsspec_has_a_say(env):
        return None
    told = _files(env)
    if told is None:
        return None
    endpoint = options.endpoint_url or env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    region = options.region or env.get("AWS_DEFAULT_REGION") or told.get("region")
    usable = ("https://",) if options.allow_http is False else ("https://", "http://")
    if endpoint and not endpoint.startswith(usable):
        return None  # obstore panics at half an URL
    if endpoint and not region:
        region = "us-east-1"
    if not region or (not endpoint and region.startswith(_OTHER_PARTITIONS)):
        return None
    if options.anon:
        return PlainS3(region, endpoint)
    keys = _keys(options, env, told)
    return PlainS3(region, endpoint, *keys) if keys else None


def _keys(
    options: Options, env: Mapping[str, str], told: Mapping[str, str]
) -> tuple[str, str, str | None] | None:
    """Of options, the environment and the files, the first that has any: both or nothing."""
    for key, secret, token in (
        (options.key, options.secret, options.token),
        (
            env.get("AWS_ACCESS_KEY_ID"),
            env.get("AWS_SECRET_ACCESS_KEY"),
            env.get("AWS_SESSION_TOKEN") or env.get("AWS_SECURITY_TOKEN"),
        ),
        tuple(map(told.get, _KEYS)),
    ):
        if key or secret or token:
            return (key, secret, token) if key and secret else None
    return None


def _files(env: Mapping[str, str]) -> dict[str, str] | None:
    """The default section of the AWS files; None where it has more than is understood here."""
    found: dict[str, str] = {}
    for variable, name in _FILES:
        path = _home(env.get(variable) or os.path.join("~", ".aws", name))
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read(1 << 20).splitlines()
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return None
        section = _default_section(lines)
        if not _HARMLESS.issuperset(section):
            return None
        found = {**section, **found}
    return found


def _default_section(lines: list[str]) -> dict[str, str]:
    """Names and values; a line that is neither, or continues another, goes by the name `?`."""
    inside, found = False, dict[str, str]()
    for line in lines:
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if text[0] == "[":
            inside = text.strip("[] \t") == "default"
        elif inside:
            name, mark, value = line.partition("=")
            found[name.rstrip().lower() if mark and name[:1].strip() else "?"] = value.strip()
    return found


def _fsspec_has_a_say(env: Mapping[str, str]) -> bool:
    """s3fs takes settings from fsspec's own files and variables as well."""
    return any(name.startswith("FSSPEC_") for name in env) or os.path.isdir(
        _home("~/.config/fsspec")
    )


def _home(path: str) -> str:
    return os.path.expanduser(path)  # noqa: TID251  (the libraries look there, too)
