"""No message says anything about a client or about health (ux section 8; security check 59)."""

import re
import string
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.core import mail
from django.template.loader import get_template
from django.utils import timezone

from practice import actions, jobs, notices
from practice.models import Notice, Practice, User
from tests import factories
from tests.factories import NOW

# What each sender hands to its template.
TOKEN = "f3a9" * 16
ALERT = "http://testserver/alerts/open/x/"
WORDS: dict[str, dict[str, Any]] = {
    "invitation": {"link": f"http://testserver/p/{TOKEN}/", "minutes": 12, "days": 14},
    "check_in": {"link": f"http://testserver/p/{TOKEN}/", "minutes": 1, "days": 7},
    "code": {"code": "204817"},
    "reminder": {"link": f"http://testserver/p/{TOKEN}/", "minutes": 3},
    "news": {"link": f"http://testserver/p/{TOKEN}/"},
    "home": {"link": f"http://testserver/p/{TOKEN}/"},
    "call_me": {"call_by": "2026-11-20T12:00:00-05:00"},
    "urgent": {
        "link": "http://testserver/alerts/open/x/",
        "at": "10:00 am",
        "next_at": "10:15 am",
        "minutes": 0,
        "drill": False,
    },
    "climbed": {
        "link": "http://testserver/alerts/open/x/",
        "at": "10:15 am",
        "next_at": "",
        "minutes": 15,
        "drill": False,
    },
    "update": {"link": "http://testserver/referrals/x/", "reference": "CH-0412-2"},
    "silent": {"link": "http://testserver/referrals/x/", "reference": "CH-0412-2", "days": 4},
    "put_away": {"link": "http://testserver/referrals/x/", "reference": "CH-0412-2"},
    "system": {"link": "http://testserver/practice/system/", "minutes": 21, "unsent": True},
    "handed_over": {"n": 3, "link": "http://testserver/caseload/"},
    "staff_invitation": {"link": "http://testserver/account/password/reset/key/1-abc/", "first": "Noor"},
    "account": {"subject": "Password reset", "body": "Open this page to choose a new password.\nhttp://testserver/x/"},
    "message": {"link": f"http://testserver/p/{TOKEN}/"},
    "message_waits": {"link": "http://testserver/clients/x/messages/"},
    "agreement": {"link": f"http://testserver/p/{TOKEN}/"},
    "chaperone_link": {"link": f"http://testserver/c/{TOKEN}/"},
    "session_event": {"link": "http://testserver/plans/x/sessions/y/", "at": "10:00 am"},
    "emergency": {"link": "http://testserver/practice/break-glass/x/", "at": "10:00 am", "by": "Sun Nov 22, 10:00 am"},
    "release": {"link": "http://testserver/releases/x/"},
    "report_ready": {"link": "http://testserver/reports/files/1/"},
    "export_ready": {"link": "http://testserver/practice/export/"},
    "locked": {"link": "http://testserver/"},
    "arrival": {"link": "http://testserver/newcomers/"},
    "enquiry": {"link": "http://testserver/enquiries/"},
    "question": {"link": "http://testserver/clients/x/questions/y/", "answered": False},
    "referral_new": {
        "reference": "CH-0412-2",
        "urgent": True,
        "by": "Fri Nov 20, 5:00 pm",
        "link": f"http://testserver/r/{TOKEN}/",
    },
    "desk_digest": {"count": 3, "link": f"http://testserver/r/{TOKEN}/"},
    "desk_message": {"reference": "CH-0412-2", "link": f"http://testserver/r/{TOKEN}/"},
    "desk_taken_back": {"reference": "CH-0412-2", "link": f"http://testserver/r/{TOKEN}/"},
    "desk_link": {"reference": "CH-0412-2", "link": f"http://testserver/r/{TOKEN}/"},
    **{template: {} for template in notices.ANSWERS},
    "desk_code": {"code": "204817"},
    "person_link": {"link": f"http://testserver/p/{TOKEN}/"},
    "person_code": {"code": "204817"},
    "person_ride": {"link": f"http://testserver/p/{TOKEN}/"},
    "prescriber_asked": {"link": f"http://testserver/x/{TOKEN}/"},
    "prescriber_code": {"code": "204817"},
    "plan_waits": {"link": "http://testserver/plans/x/"},
    "prescriber_answered": {"link": "http://testserver/clients/x/clearance/"},
}
EACH = [(template, str(channel)) for template, channels in notices.TEMPLATES.items() for channel in channels]
SPOKEN = [
    *((template, channel, "en") for template, channel in EACH),
    *((template, channel, "es") for template, channel in EACH if template in notices.TO_CLIENTS + notices.TO_PEOPLE),
]
# Of text messages (GSM 7-bit, 3GPP TS 23.038), as far as our words need it.
TEXT_ALPHABET = set(string.ascii_letters + string.digits + " @_!#$%&'()*+,-./:;<=>?¡¿ÉÑÜñüéèùìòàäöåÄÖÅ")
# Words that tell what kind of care this is, how somebody is, or what they answered.
TELLING = re.compile(
    r"ketamin|infusion|depress|suicid|phq|gad-?7|c-?ssrs|mental|therap|psych|\bkap\b|scor(?:e|ing)|symptom|diagnos"
    r"|medic(?!are)|clinic|patient|severe|risk|\bflag\b"
    r"|deprim|terap|psic|puntaje|sintoma|síntoma|clínic|pacient|grave|riesgo|receta|tratamient|sesi[oó]n|salud",
    re.IGNORECASE,
)


@pytest.fixture
def quiet(db: None) -> Practice:
    return factories.practice(name="Cedar House", phone="555 0110", hours_text="weekdays 8 am to 5 pm")


def said(template: str, channel: str, practice: Practice, language: str = "en", **more: Any) -> tuple[str, str]:
    return notices.render(template, channel, WORDS[template] | more, practice, language)


def test_every_template_has_its_words_here() -> None:
    assert sorted(WORDS) == sorted(notices.TEMPLATES)


@pytest.mark.parametrize(("template", "channel", "language"), SPOKEN)
def test_notice_tells_nothing(template: str, channel: str, language: str, quiet: Practice) -> None:
    subject, text = said(template, channel, quiet, language)
    assert TELLING.findall(f"{subject}\n{text}") == []
    assert text.strip()


@pytest.mark.parametrize(("template", "channel", "language"), [each for each in SPOKEN if each[1] == "email"])
def test_subject_fits_a_locked_phone(template: str, channel: str, language: str, quiet: Practice) -> None:
    subject, text = said(template, channel, quiet, language)
    assert 0 < len(subject) <= 60
    assert len(subject.split()) <= 9
    assert subject not in text.splitlines()[0]


@pytest.mark.parametrize(("template", "channel", "language"), [each for each in SPOKEN if each[1] == "sms"])
def test_text_message_fits_two_parts(template: str, channel: str, language: str, quiet: Practice) -> None:
    """A letter outside the alphabet of text messages, such as an accented o, makes each part 67 letters long."""
    subject, text = said(template, channel, quiet, language)
    assert subject == ""
    assert "\n" not in text
    assert len(text) <= (306 if set(text) <= TEXT_ALPHABET else 134)


@pytest.mark.parametrize(("template", "channel", "language"), SPOKEN)
def test_notice_holds_the_one_link_or_code_it_is_about(
    template: str, channel: str, language: str, quiet: Practice
) -> None:
    words = WORDS[template]
    _, text = said(template, channel, quiet, language)
    links = re.findall(r"https?://\S+", text)
    expected = [words["link"]] if "link" in words else re.findall(r"https?://\S+", words.get("body", ""))
    assert [link.rstrip(".") for link in links] == expected
    if template == "code":
        assert words["code"] in text


@pytest.mark.parametrize(
    ("template", "channel"), [e for e in EACH if e[0] in ("invitation", "code", "reminder", "news", "home")]
)
def test_notice_to_a_client_uses_the_discreet_name(template: str, channel: str, quiet: Practice) -> None:
    """A practice whose name says what it does can go by another on a locked phone."""
    telling = factories.practice(name="Northlake Ketamine Therapy", discreet_name="Northlake")
    subject, text = said(template, channel, telling)
    assert TELLING.findall(f"{subject}\n{text}") == []
    assert "Northlake" in f"{subject}\n{text}"


def test_drill_says_that_it_is_one(quiet: Practice) -> None:
    for channel in ("email", "sms"):
        real, drill = (" ".join(said("urgent", channel, quiet, drill=d)) for d in (False, True))
        assert ("drill" in real.lower(), "drill" in drill.lower()) == (False, True)


def test_markup_in_a_practice_name_stays_text(quiet: Practice, mailoutbox: list[EmailMessage], maya: User) -> None:
    factories.practice(name="<b>{{ request }}</b>")
    actions.run_drill(by=maya, at=NOW)
    notices.tell_staff(maya, "system", link="http://testserver/practice/system/", minutes=3, unsent=False)
    jobs.run_due()
    html = [alternative[0] for message in mailoutbox for alternative in message.alternatives]  # type: ignore[attr-defined]
    assert html
    assert [page for page in html if "<b>{{" in page] == []
    assert [page for page in html if re.search(r"<img|<script|style=|<link|https?://(?!testserver)", page)] == []


def test_html_twin_has_the_same_words(quiet: Practice, mailoutbox: list[Any], maya: User) -> None:
    notices.tell_staff(maya, "locked", link="http://testserver/")
    jobs.run_due()
    (message,) = mailoutbox
    plain = " ".join(message.body.split())
    twin = re.sub(r"<(style|title)\b.*?</\1>", " ", message.alternatives[0][0], flags=re.DOTALL)
    assert plain in " ".join(re.sub(r"<[^>]+>", " ", twin).split()).replace(" .", ".")
    assert get_template("emails/frame.html")


# --- The real senders, with a client whose every field is a canary ----------------------------------------------------

CANARIES = {
    "legal_name": "Zephyrine Quillfeather",
    "name_used": "Zephy Quillfeather",
    "birth_date": "1987-04-13",
    "email": "zephy@example.net",
    "phone": "+1 202 555 0199",
    "address": "Canary Row",
    "allergies": "latex canary",
}


def test_what_a_safety_answer_sends_out_names_nobody(on_call: User, maya: User, mailoutbox: list[Any]) -> None:
    """Security check 59 for mail and text messages: the whole ladder and the client's own request for a call."""
    zephy = factories.client(maya, **{"name": "Zephy Quillfeather", **CANARIES})
    maya.phone = "+1 202 555 0111"
    maya.save()
    alert = actions.raise_alert(
        by=zephy,
        client=zephy,
        source="manual",
        severity="urgent",
        rules=[{"id": "SR-03", "version": "1"}],
        answers=[{"instrument": "phq-9", "link_id": "9", "question": "canary question", "answer": "canary answer"}],
        reason="canary reason",
        at=timezone.now(),
    )
    actions.client_did(client=zephy, alert=alert, kind="call_wanted", at=timezone.now(), when="today by 5 pm")
    for minutes in (20, 60, 180):
        actions.climb_alerts(at=timezone.now() + timedelta(minutes=minutes))
    jobs.run_due()
    sent = [f"{m.subject}\n{m.body}\n{m.alternatives[0][0]}\n{m.extra_headers}" for m in mail.outbox]
    texts = [p.read_text().split("\n\n", 1)[1] for p in sorted(notice_files())]
    assert Notice.objects.exclude(state=Notice.State.SENT).count() == 0
    assert len(sent) >= 2
    assert len(texts) >= 2
    words = {word.lower() for value in CANARIES.values() for word in value.split()} | {
        "canary",
        "phq",
        "sr-03",
        "urgent flag",
    }
    told = [re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "id", text.lower()) for text in sent + texts]
    assert [(word, text) for text in told for word in words if word in text] == []
    assert [text for text in sent + texts if str(zephy.pk) in text or zephy.code in text] == []


def notice_files() -> list[Any]:
    from pathlib import Path

    from django.conf import settings

    return list((Path(settings.DATA_DIR) / "sms").glob("*.txt"))


def test_client_is_not_reached_by_a_channel_they_did_not_call_safe(maya: User, mailoutbox: list[Any]) -> None:
    mute = factories.client(maya, "Zephy Quillfeather", reach={"email": False, "sms": False, "voice": True})
    assert notices.tell_client(mute, "invitation", **WORDS["invitation"]) == []
    assert Notice.objects.count() == 0


def test_notice_words_are_sealed_in_the_database(maya: User) -> None:
    """Security check 53: a link token or an address is not in the database in clear."""
    from django.db import connection

    notices.tell_staff(maya, "locked", link=f"http://testserver/p/{TOKEN}/")
    with connection.cursor() as cursor:
        cursor.execute("SELECT words, address FROM practice_notice")
        row = b"|".join(bytes(value) for value in cursor.fetchone())
    assert TOKEN.encode() not in row
    assert maya.email.encode() not in row
