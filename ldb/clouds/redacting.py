"""Error texts of libraries without what may be secret in them."""

from __future__ import annotations

import re

_SECRETS = (
    re.compile(r"(://)[^/\s@]+(?=@)"),
    re.compile(
        r"(?i)((?:signature|\bsig|token|accountkey|secret|password|credential)[\"']?\s*[=:]\s*)"
        r"[^&\s'\"<>;,]+"
    ),
    re.compile(r"(?i)(bearer )[\w.~+/=-]+"),
)


def redacted(text: str) -> str:
    """The text on one line, at most 300 characters, user names and signatures taken out."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1***", text)
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:299]}…"
