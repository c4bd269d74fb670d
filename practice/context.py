"""What every page needs to know. Nothing here touches the database for a page that renders without a request."""

import re
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from practice import backups, jobs, language, signing
from practice.access import Permission
from practice.models import Client, Enquiry, Practice

# key for "g then key", label, url name, permission
NAV = (
    ("c", _("Caseload"), "caseload", Permission.SEE_CASELOAD),
    ("r", _("Referrals"), "referrals", Permission.SEE_REFERRALS),
    ("p", _("Plans"), "plans", Permission.SEE_PLANS),
    ("m", _("Messages"), "inbox", Permission.WRITE_MESSAGE),
    ("e", _("Enquiries"), "enquiries", Permission.ANSWER_ENQUIRY),
    ("a", _("Alerts"), "alerts", Permission.SEE_ALERTS),
    ("t", _("Reports"), "reports", Permission.SEE_REPORTS),
    ("s", _("Practice"), "practice_settings", Permission.SEE_PRACTICE),
)

# A page that the practice's own page leads to (practice.views.rooms).
ROOM = re.compile(r"/practice/[\w-]+/|/copies/")


def page(request: HttpRequest) -> dict[str, Any]:
    context: dict[str, Any] = {
        "practice": getattr(request, "practice", None) or SimpleLazyObject(Practice.get),
        "demo": settings.DEMO,
        "others": language.others(request),
    }
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return context
    return context | {
        "nav": SimpleLazyObject(lambda: _nav(user, request.path)),
        "in_room": bool(ROOM.fullmatch(request.path)) and user.may(Permission.SEE_PRACTICE),
        "theme": user.theme,
        "keys_on": user.keys_on,
        "clinical_unsigned": SimpleLazyObject(lambda: signing.unsigned(context["practice"])),
        "queue_late_min": SimpleLazyObject(_late),
        "backup": SimpleLazyObject(_backup) if user.may(Permission.KEEP_RECORDS) else None,
    }


def _nav(user: Any, here: str) -> list[dict[str, Any]]:
    urgent = Client.objects.visible_to(user, Permission.READ_CHART).filter(
        ~Q(status__in=Client.LEFT), rank=Client.Rank.NOW
    )
    counted = {"caseload": urgent.count, "enquiries": Enquiry.objects.waiting().count}
    return [
        {
            "key": key,
            "label": label,
            "url": url,
            "count": counted[name]() if name in counted else 0,
            # The page itself, or one further in.
            "current": "page" if here == url else "true" if here.startswith(url) else "",
        }
        for key, label, name, permission in NAV
        if user.may(permission)
        for url in [reverse(name)]
    ]


def _backup() -> backups.BackupState:
    return backups.state(timezone.now())


def _late() -> int:
    waiting = jobs.oldest_waiting_min(timezone.now())
    return waiting if waiting >= 2 else 0
