"""From the text of a query to an `Expression`, by the jmespath library's parser.

The library's syntax tree (nested dicts of `type`, `value`, `children`) is used as it
comes and never changed, for the library caches it. What is refused here, beyond what
the library refuses: nesting deeper than `MAX_NESTING`, numbers JSON cannot hold, `&`
outside a function's arguments, a slice whose step is 0. Every refusal is a `BadInput`
that shows the place. Rules: docs/query.md.
"""

from __future__ import annotations

import itertools
import math
import re
import warnings
from dataclasses import dataclass
from functools import cached_property

from jmespath import exceptions as jmes
from jmespath import lexer, parser

from ldb.errors import BadInput
from ldb.query.keys import KeyPath, Names, names_in
from ldb.query.syntax import Node, children, in_order

MAX_NESTING = 100
"""Deepest syntax tree: each level costs up to three Python frames, of about 1,000."""

_WIDTH = 72
_CURLY = re.compile("[“”„‟‘’‚‛«»]")
_BLANK = re.compile(r"[^\S \t\r\n]|[\u200b-\u200d\u2060\ufeff]")
_WORDS = {"and": "&&", "or": "||", "not": "!", "in": "contains(list, value)"}


@dataclass(frozen=True)
class Expression:
    """A parsed query: its text, the option it came from, the library's syntax tree."""

    text: str
    where: str
    ast: Node

    @property
    def keys(self) -> tuple[KeyPath, ...]:
        """Key paths the query names, sorted; None in a path stands for "any element"."""
        return self._names.keys

    @property
    def roots(self) -> frozenset[str] | None:
        """Keys of the top level the query can reach; None when it sees the whole value."""
        return self._names.roots

    @property
    def bare_words(self) -> tuple[str, ...]:
        """Keys compared with other keys: quotes that the shell may have eaten."""
        return self._names.bare_words

    @cached_property
    def _names(self) -> Names:
        return names_in(self.ast)

    def error(self, why: str, node: Node | None = None, hint: str = "") -> BadInput:
        """`BadInput` that shows the text and, of a function's node, the place."""
        place = None if node is None else self._place(node)
        return BadInput(self.where, f"{why}\n{_shown(self.text, place)}", hint)

    def _place(self, node: Node) -> int | None:
        """Where function `node` begins: the tree knows no places, but keeps their order."""
        tokens = list(lexer.Lexer().tokenize(self.text))
        calls = [
            first["start"]
            for first, second in itertools.pairwise(tokens)
            if first["type"] == "unquoted_identifier" and second["type"] == "lparen"
        ]
        nodes = [one for one in in_order(self.ast) if one["type"] == "function_expression"]
        for place, one in zip(calls, nodes, strict=True):
            if one is node:
                return int(place)
        return None


def parse(text: str, where: str = "--query") -> Expression:
    """Parse a query; `BadInput` names `where` and shows the place of a mistake."""
    if not text.strip():
        raise BadInput(where, "the expression is empty", _SHELL)
    try:
        with warnings.catch_warnings():
            # An old way to write string literals, `word`, which the standard still allows.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            tree = parser.Parser().parse(text).parsed
    except jmes.ParseError as error:
        raise _syntax_error(text, where, error) from None
    except RecursionError:
        raise _too_deep(text, where) from None
    except ValueError:  # an index of more digits than Python's int() takes
        raise BadInput(where, f"a number is too long\n{_shown(text, None)}") from None
    expression = Expression(text, where, tree)
    _check(expression)
    return expression


def _check(expression: Expression) -> None:
    stack = [(expression.ast, 1, False)]
    while stack:
        node, depth, is_argument = stack.pop()
        if depth > MAX_NESTING:
            raise _too_deep(expression.text, expression.where)
        kind = node["type"]
        if kind == "expref" and not is_argument:
            raise expression.error("`&` is for arguments of functions only, as in sort_by(a, &b)")
        if kind == "slice" and node["children"][2] == 0:
            raise expression.error("the step of a slice cannot be 0")
        if kind == "literal" and not _is_finite(node["value"]):
            raise expression.error("JSON has no such number (NaN, or too large)")
        below = kind == "function_expression"
        stack += [(child, depth + 1, below) for child in children(node)]


def _is_finite(literal: object) -> bool:
    stack = [literal]
    while stack:
        value = stack.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return True


_SHELL = (
    "put the whole expression in single quotes, so that the shell leaves it alone: "
    "'class == `\"cat\"`' or \"class == 'cat'\""
)


def _too_deep(text: str, where: str) -> BadInput:
    why = f"nested deeper than {MAX_NESTING} levels"
    return BadInput(where, f"{why}\n{_shown(text, None)}")


def _syntax_error(text: str, where: str, error: jmes.ParseError) -> BadInput:
    incomplete = isinstance(error, jmes.IncompleteExpressionError) or error.token_type == "EOF"
    place = len(text.rstrip()) if incomplete else int(error.lex_position)
    if incomplete:
        why = "the expression ends too early"
    elif isinstance(error, jmes.LexerError):
        why = _lexer_message(error, text[place : place + 1])
    else:
        why = f"unexpected `{error.token_value}`"
        if "Quoted identifier" in error.msg:
            why = "a function's name takes no quotes"
        elif "Invalid function name" in error.msg:
            why = f"`{error.token_value}` is not the name of a function"
    return BadInput(where, f"{why}\n{_shown(text, place)}", _hint(text, place))


def _lexer_message(error: jmes.LexerError, char: str) -> str:
    if "Unclosed" in error.message:
        return f"the {char} that opens here is not closed"
    if "Bad token" in error.message or char in '"`':
        return "not valid JSON between these quotes"
    return f"unexpected `{char}`"


def _hint(text: str, place: int) -> str:
    """What most likely went wrong at `place`; the strongest sign first."""
    rest = text[place:]
    before = text[:place].rstrip()
    if _CURLY.search(text):
        return "curly quotes (from a web page or a document?): use plain ' or `"
    if re.search("[—–−]", text):
        return "a long dash (from a web page or a document?): use a plain -"
    if _BLANK.search(text):
        return "an invisible character (from a web page or a document?): retype the blanks"
    if rest.startswith("=") and not before.endswith(("=", "!", "<", ">")):
        return "to compare, write =="
    word = re.match(r"[A-Za-z_]+", rest)
    if word and word.group() in _WORDS:
        return f"JMESPath has no `{word.group()}`: write {_WORDS[word.group()]}"
    last_word = re.search(r"\b[A-Za-z_]+$", before)
    if last_word and last_word.group() == "not":
        return f"JMESPath has no `not`: write {_WORDS['not']}"
    if number := _number_at(text, place):
        fixed = f"{text[: number.start()]}`{number.group()}`{text[number.end() :]}".strip()
        quote = "'" if "'" not in fixed else ""
        return f"numbers stand in backticks: {quote}{fixed}{quote}"
    if not rest.strip() and re.search("[=<>(,&|!]$", before):
        return f"the shell may have taken what was in backticks or quotes: {_SHELL}"
    if not rest.strip() and (opened := _unclosed(before)):
        return f"the `{opened}` is not closed"
    if word and place and text[place - 1] in " \t":
        return f"a text with blanks needs quotes; {_SHELL}"
    return ""


def _number_at(text: str, place: int) -> re.Match[str] | None:
    """The bare number that covers `place`, unless it is the index of a `[…]`."""
    for found in re.finditer(r"(?<![\w.`\[])-?\d+(\.\d+)?(e[-+]?\d+)?", text):
        if found.start() <= place < found.end():
            return found
    return None


def _unclosed(text: str) -> str:
    """The innermost bracket that is still open; texts and quoted keys do not count."""
    stack = []
    for char in re.sub(r"""'(\\.|[^'])*'|"(\\.|[^"])*"|`(\\.|[^`])*`""", "", text):
        if char in "([{":
            stack.append(char)
        elif char in ")]}" and stack:
            stack.pop()
    return stack[-1] if stack else ""


def _shown(text: str, place: int | None) -> str:
    """The line of `text` that holds `place`, indented, with a caret under it."""
    text = re.sub(r"[^\S\n]|[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]", " ", text)
    if place is None:
        lines = text.strip().splitlines() or [""]
        line = lines[0]
        cut = len(lines) > 1 or len(line) > _WIDTH
        return f"    {line[:_WIDTH]}{'…' if cut else ''}"
    start = text.rfind("\n", 0, place) + 1
    line, _, _ = text[start:].partition("\n")
    at = place - start
    first = max(0, at - _WIDTH // 2) if len(line) > _WIDTH else 0
    part = line[first : first + _WIDTH]
    lead = "…" if first else ""
    tail = "…" if first + _WIDTH < len(line) else ""
    return f"    {lead}{part}{tail}\n    {' ' * (at - first + len(lead))}^"
