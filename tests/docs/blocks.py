"""Fenced code blocks of the pages that people read, and the shell lines within them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
LEFT_OUT = 'title="Not run by the tests: '
"""What a fence says of itself, and shows on the site, where its block cannot run."""
_BETWEEN_COMMANDS = {"&&", "||", "|", ";", "&"}


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Line of its first code, from 1."""
    language: str
    code: str
    reason: str | None
    """Why it is not run; None where it is."""

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    tokens = MarkdownIt().parse(page.read_text())
    return [
        _block(page, token.map[0] + 2, token.info, token.content)
        for token in tokens
        if token.type == "fence" and token.map is not None
    ]


def _block(page: Path, line: int, info: str, code: str) -> Block:
    language, _, rest = info.partition(" ")
    reason = rest.removeprefix(LEFT_OUT).removesuffix('"') if rest.startswith(LEFT_OUT) else None
    return Block(page, line, language, code, reason)


def commands_of(code: str) -> Iterator[list[str]]:
    """Split shell code into commands: no comments, no variables set before, no redirections."""
    for line in code.replace("\\\n", " ").splitlines():
        command: list[str] = []
        for word in [*_words(line), ";"]:
            if word in _BETWEEN_COMMANDS:
                if command:
                    yield command
                command = []
            elif command or "=" not in word:
                command.append(word)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    return list(lexer)
