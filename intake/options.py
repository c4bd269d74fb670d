"""The ways of care in plain words, for anyone: read from options.toml, each fact with its source."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FILE = Path(__file__).with_name("options.toml")
# What is said of every way, in this order.
ASKED: dict[str, Promise] = {
    "who": _("Who is in the room"),
    "how": _("How it is given"),
    "like": _("What it is like"),
    "often": _("How often"),
}


@dataclass(frozen=True)
class Fact:
    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Way:
    """One way of care: what it is for, and a fact for each of ASKED."""

    key: str
    title: str
    purpose: Fact
    facts: dict[str, Fact]


@dataclass(frozen=True)
class Options:
    title: str
    ways: tuple[Way, ...]
    facts: tuple[Fact, ...]


@cache
def load() -> Options:
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Options(data["title"], tuple(_way(row) for row in data["paths"]), tuple(_fact(row) for row in data["facts"]))


def _way(row: dict[str, Any]) -> Way:
    return Way(row["key"], row["title"], _fact(row["for"]), {name: _fact(row[name]) for name in ASKED})


def _fact(row: dict[str, Any]) -> Fact:
    return Fact(row["text"], tuple(row["sources"]))
