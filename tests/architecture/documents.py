"""What the documents say, taken apart: their links and headings, and what they show as code."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import ROOT

DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def prose(text: str) -> str:
    """A document without its blocks of code."""
    return _BLOCK.sub("", text)


def code(text: str) -> Iterator[str]:
    """Each line of its blocks of code, and each span of code."""
    for block in _BLOCK.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    # In a table, a pipe is written with a backslash.
    yield from (span.replace("\\|", "|") for span in _SPAN.findall(prose(text)))


def links(text: str) -> list[tuple[str, str]]:
    """Each link that leads to a file here: its path, empty for this document, and its anchor, or empty."""
    return [(path, anchor) for path, _, anchor in (link.partition("#") for link in _LINK.findall(prose(text)))]


def anchors(document: Path) -> set[str]:
    """What links can lead to in a document, made of its headings as GitHub makes it."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(document.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        again = sum(each == slug or re.fullmatch(re.escape(slug) + r"-\d+", each) is not None for each in found)
        found.add(f"{slug}-{again}" if again else slug)
    return found
