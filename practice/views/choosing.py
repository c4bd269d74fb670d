"""What a list is asked to show: choices that stand in its address, and the links that make them."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import BadRequest
from django.utils.http import urlencode

from practice.caseload import COUNTED
from practice.pages import StaffRequest


def asked(request: StaffRequest, name: str, known: Sequence[str], otherwise: str) -> str:
    value = request.GET.get(name, "") or otherwise
    if value not in known:
        raise BadRequest
    return value


def url(chosen: dict[str, str]) -> str:
    return "?" + urlencode({name: value for name, value in chosen.items() if value})


def link(chosen: dict[str, str], name: str, value: str, label: Any, current: bool, count: str = "") -> dict[str, Any]:
    return {"label": label, "url": url(chosen | {name: value}), "current": current, "count": count}


def shown(count: int) -> str:
    return f"{count}+" if count >= COUNTED else str(count)
