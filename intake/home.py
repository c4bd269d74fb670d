"""What the packages put on a client's own page: one Line each, in the order that practice.urls gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from intake.doors import Link


@dataclass(frozen=True)
class Line:
    """One part of a client's own page. The first that is `todo` is the one next thing, above all others."""

    title: str | Promise
    text: str | Promise
    url: str = ""
    label: str | Promise = ""
    todo: bool = False


@dataclass(frozen=True)
class Shown:
    """What somebody whom a client trusts sees of one part: sentences, rows of (what, words), or a template's own."""

    said: Sequence[str | Promise] = ()
    rows: Sequence[tuple[str | Promise, str]] = ()
    template: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


LineOf = Callable[[Link, datetime], Line | None]
ShownOf = Callable[[Link, datetime], Shown]
