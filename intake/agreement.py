"""Agreements as data: one TOML file per text and version. A signature keeps the fingerprint of what was shown."""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from practice.clinical.shelf import Shelf

SHELF = Shelf(Path(__file__).parent / "agreements", "agreement")


@dataclass(frozen=True, slots=True)
class Point:
    key: str
    text: str
    ack: str
    """The words beside the box of a point that is acknowledged by itself; empty for the others."""


@dataclass(frozen=True, slots=True)
class Part:
    title: str
    line: str
    """The part in one plain line."""
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Must:
    """Something that the law or the source asks of a text, and the words by which it is looked for."""

    what: str
    says: tuple[tuple[str, ...], ...]
    """Every group must be found; of a group, any one."""
    part2: bool = False
    """Asked only of a programme under 42 CFR Part 2."""
    key: str = ""
    """By which other pages ask for the points that speak of it; most have none."""


@dataclass(frozen=True, slots=True)
class Agreement:
    key: str
    version: str
    language: str
    title: str
    basis: str
    summary: str
    sign: str
    """What the signature says."""
    parts: tuple[Part, ...]
    sha256: str

    @property
    def acknowledgements(self) -> tuple[Point, ...]:
        return tuple(point for part in self.parts for point in part.points if point.ack)


@cache
def musts(key: str) -> tuple[Must, ...]:
    """What this agreement must say, in the order of the source."""
    found = tomllib.loads((SHELF.folder.parent / "musts.toml").read_text(encoding="utf-8"))
    return tuple(
        Must(row["what"], tuple(tuple(group) for group in row["says"]), row.get("part2", False), row.get("key", ""))
        for row in found["musts"][key]
    )


@cache
def load(key: str, version: str) -> Agreement:
    """Raises ValueError when there is no such text."""
    return read(SHELF.path(key, version))


def read(path: Path) -> Agreement:
    raw = path.read_bytes()
    data = tomllib.loads(raw.decode("utf-8"))
    return Agreement(
        key=data["key"],
        version=data["version"],
        language=data["language"],
        title=data["title"],
        basis=data["basis"],
        summary=data["summary"],
        sign=data["sign"],
        parts=tuple(
            Part(
                row["title"],
                row["line"],
                tuple(Point(point["key"], point["text"], point.get("ack", "")) for point in row["points"]),
            )
            for row in data["sections"]
        ),
        sha256=hashlib.sha256(raw).hexdigest(),
    )
