"""A whole intake, from the link to the receipt, as a browser without script walks it."""

import re

from django.test import Client as Browser

from intake.models import Assessment, Invitation
from practice.models import Alert, Client, Task
from tests.conftest import send
from tests.intake.conftest import REQUIRED, Phone, fill_required


def walk(phone: Phone) -> list[str]:
    """Answer every page as it comes, by the first answer of each, following the redirects."""
    seen: list[str] = []
    answer = phone.post("/my/")
    while answer.status_code == 303 and (found := re.match(r"/my/q/([\w-]+)/", answer["Location"])):
        page = found[1]
        assert page not in seen, page
        seen.append(page)
        shown = phone.browser.get(f"/my/q/{page}/")
        assert shown.status_code == 200, page
        html = shown.content.decode()
        fields = dict(REQUIRED.get(page, {}))
        if not fields:
            for name, value in re.findall(r'<input type="radio" name="([\w-]+)" value="([^"]*)"', html):
                fields.setdefault(name, value)
            if 'name="typed_name"' in html:
                fields |= {"typed_name": "Samuel Whitehorse", "relation": "self"}
                fields |= dict.fromkeys(re.findall(r'name="(ack_\w+)"', html), "on")
            if "rows-TOTAL_FORMS" in html:
                fields = {"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0", "none": "1"}
            elif 'type="checkbox" name="answer"' in html:
                fields["answer"] = "none"
            elif 'inputmode="decimal"' in html and "sisq" in page:
                fields["answer"] = "0"
        answer = phone.post(f"/my/q/{page}/", fields)
        assert answer.status_code == 303, (page, fields, answer.content.decode())
        if answer["Location"] == "/my/support/":
            html = phone.browser.get("/my/support/").content.decode()
            onward = re.search(r'href="(/my/(?:q/[\w-]+|check)/)"', html)
            assert onward, html
            answer["Location"] = onward[1]
    assert answer["Location"] == "/my/check/", answer.status_code
    return seen


def test_an_intake_without_a_sign_is_walked_from_link_to_receipt(phone: Phone, sam: Client) -> None:
    seen = walk(phone)
    assert [page for page in seen if page.startswith("cssrs")] == []
    check = phone.browser.get("/my/check/")
    assert b"Send my answers to Maya" in check.content
    answer = phone.post("/my/send/")
    assert (answer.status_code, answer["Location"]) == (303, "/my/done/")
    assert b"Maya has your answers" in phone.browser.get("/my/done/").content
    sitting = phone.sitting
    assert sitting.submitted_at is not None
    assert sitting.invitation.state == Invitation.State.DONE
    assert sorted(sitting.assessments.values_list("instrument", flat=True)) == [
        "audit-c",
        "b-ipf",
        "gad-7",
        "pc-ptsd-5",
        "pcl-5",
        "peg",
        "phq-9",
        "sisq-drug",
        "wbs-2",
    ]
    sam.refresh_from_db()
    assert (sam.name_used, sam.legal_name, sam.birth_date) == ("Sam", "Samuel Whitehorse", "1993-03-08")
    assert (sam.zone, sam.status) == ("America/New_York", Client.Status.ACTIVE)
    assert Alert.objects.count() == 0
    assert list(Task.objects.filter(done_at=None).values_list("kind", "subject_id")) == [("new_intake", sitting.pk)]
    assert Assessment.objects.get(instrument="phq-9").total == 0
    assert sam.phq9 == [["2026-11-19", 0, False]]


def test_a_second_browser_needs_the_code_once_something_is_answered(phone: Phone) -> None:
    fill_required(phone)
    other = Phone(phone.invitation)
    assert other.open()["Location"] == "/my/code/"
    assert send(Browser(), "/my/code/", {"code": "x"})["Location"] == "/my/locked/"
