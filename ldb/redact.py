"""Takes secrets out of text that people, logs and other programs are going to see.

Pure functions over text: URLs with a password in them or signed ones, connection strings,
headers, `key=value` options whose name says that the value is secret. What is taken out
leaves `***` in its place. A message is better short of a word than one secret too long, so
what could be a secret is taken for one. Time grows with the text: no pattern looks further
than a bounded way. The promise: docs/security.md.
"""

from __future__ import annotations

import re

HIDDEN = "***"

_WORD = r"[\w.\-]{0,80}"
_NAMED = (
    r"secret|password|passwd|pwd|passphrase|token|credential|connection[_-]?string|"
    r"(?:private|api|access|account|shared)[_-]?key|signature|authorization"
)
_OPTION = rf"{_WORD}(?:{_NAMED}){_WORD}|(?:{_WORD}[_.\-])?(?:key|sas|sig)"
"""Names of options whose values are secret; `access_key_id` is among them, to be sure."""

_VALUE = (
    r"""\\+["'](?:(?!\\*["']).)*|b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?"""
    r"""|[^\s&;,'"<>(){}\[\]]+"""
)
_SCHEME = r"(?P<name>\b[A-Za-z][A-Za-z0-9+.\-]{0,30}://"

_PASSWORD = re.compile(
    rf"""{_SCHEME})(?P<value>[^\s/?#:@'"]{{0,200}}:(?!\d{{1,5}}/)[^\s'"<>]{{1,1000}})(?=@)"""
)
_USER_TOKEN = re.compile(rf"""{_SCHEME})(?P<value>[^\s/?#:@'".]{{21,}})(?=@)""")
_HEADER = re.compile(
    r"""(?P<name>authorization["']?\s*[:=]\s*["']?)(?P<value>[^\r\n"']+)""", re.IGNORECASE
)
_BEARER = re.compile(r"(?P<name>\b(?:bearer|sharedkey(?:lite)?)\s+)(?P<value>\S+)", re.IGNORECASE)
_TELLS = (
    r"(?-i:(?:\w{1,40}\.){0,4}(?:SignatureDoesNotMatch|InvalidToken|ExpiredToken|TokenRefreshRequired|"
    r"InvalidAccessKeyId|AuthorizationHeaderMalformed|AuthorizationFailure|"
    r"AuthorizationPermissionMismatch|CredentialsNotSupported): [A-Z][a-z]{0,20} )"
)
"""Codes of errors that stores answer with, before a sentence: no option, and no value of one."""

_PAIR = re.compile(
    rf"""(?P<name>(?:(?<![\w.\-])|(?<=%3F)|(?<=%26))(?!{_TELLS})(?:{_OPTION})\\*["']?\s*(?:=|:|%3D|%3A)\s*)(?P<value>{_VALUE})""",
    re.IGNORECASE | re.DOTALL,
)
_AWS_ID = re.compile(r"(?P<name>)(?P<value>(?:AKIA|ASIA)[A-Z0-9]{16})")
_PRIVATE_KEY = re.compile(
    r"(?P<name>)(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r".*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
    re.DOTALL,
)
_ALL = (_PRIVATE_KEY, _PASSWORD, _USER_TOKEN, _HEADER, _BEARER, _PAIR, _AWS_ID)


def redact(text: str) -> str:
    """`text` without what is, or could be, a secret."""
    for pattern in _ALL:
        text = pattern.sub(_hidden, text)
    return text


def is_secret(name: str) -> bool:
    """Whether an option, a header or a field of this name holds a secret."""
    return re.fullmatch(_OPTION, name, re.IGNORECASE) is not None


def _hidden(found: re.Match[str]) -> str:
    """What names the secret, and no word of it; a quoted one keeps its quotes."""
    quote = found["value"][:1]
    quote = quote if quote in ("'", '"') else ""
    return f"{found['name']}{quote}{HIDDEN}{quote}"
