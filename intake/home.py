"""What the packages put on a client's own page: one Line each, in the order that practice.urls gives."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

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


LineOf = Callable[[Link, datetime], Line | None]
