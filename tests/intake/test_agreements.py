"""Feature B3: agreements in versions, in the practice's own words: draft, comparison, publishing, signing then."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from intake import actions, agreement, editions, publishing, resigning, wording
from intake.models import AgreementText, Signature
from intake.wording import Unclear
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Practice, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone, text_of

As = Callable[[User], Any]
pytestmark = pytest.mark.usefixtures("clock", "on_call")
LIST = "/practice/agreements/"
VERSIONS, DRAFT, PUBLISH = f"{LIST}communications/", f"{LIST}communications/draft/", f"{LIST}communications/publish/"
BODY = """# What we send
Our messages never say why you come to us.
- Someone else could read a text or an e-mail.
+ I know that somebody else could read them.
We send messages in the daytime.
- Reply STOP to any text, and we stop sending texts."""
SAID = {"title": "Texts and mail", "summary": "You choose what we may use.", "sign": "I understand.", "body": BODY}
CHOICE = {"must_sign": "yes", "because": "The risk reads differently.", "reason": "A plainer text."}


def drafted(by: User, document: str = "communications", **changed: Any) -> AgreementText:
    row = publishing.keep_draft(by=by, document=document, edition=0, at=NOW, **(SAID | changed))
    assert row is not None
    return row


def published(by: User, *, must_sign: bool = True, at: Any = NOW, **changed: Any) -> AgreementText:
    row = drafted(by, **changed)
    return publishing.publish(
        by=by, document=row.document, edition=row.edition, must_sign=must_sign, because="x", reason="y", at=at
    )


def signed(client: Client, document: str = "communications", version: str = "1", at: Any = NOW) -> Signature:
    row = Signature(client=client, document=document, version=version, text_sha256="0" * 64, signed_at=at)
    row.typed_name = client.legal_name
    row.save()
    return row


# --- The text --------------------------------------------------------------------------------------------------------


def test_text_is_read_as_parts_lines_points_and_boxes() -> None:
    (part,) = wording.parts(BODY)
    assert (part.title, part.line) == ("What we send", "Our messages never say why you come to us.")
    assert [(point.text, point.ack) for point in part.points] == [
        ("Someone else could read a text or an e-mail.", "I know that somebody else could read them."),
        ("We send messages in the daytime.", ""),
        ("Reply STOP to any text, and we stop sending texts.", ""),
    ]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "Write the text, part by part. A part begins with its title: # What we do"),
        ("- A point", "Line 1 comes before the first part. Begin with a title: # What we do"),
        ("# A part", "The part “A part” needs one plain line and at least one point."),
        ("# A part\nA line", "The part “A part” needs one plain line and at least one point."),
        ("# A part\n- A point", "Line 2: first say in one plain line what “A part” is about."),
        ("# A part\nA line\n+ A box", "Line 3 is for a box, but there is no point above it that has none yet."),
        ("# A part\nA line\n- P\n+ A\n+ B", "Line 5 is for a box, but there is no point above it that has none yet."),
        ("# A part\nA line\n-", "Line 3 has a mark and no words."),
        ("# A part\nA line\n- " + "x" * 999, "Line 3 is too long. Make it two points."),
        ("# A part\nA line" + "\n- P" * 81, "This is too much to read: at most 20 parts and 80 points."),
        ("# A part\nA line\n- P\n" * 21, "This is too much to read: at most 20 parts and 80 points."),
    ],
)
def test_text_that_is_unclear_says_where_and_what_to_do(body: str, sentence: str) -> None:
    with pytest.raises(Unclear) as said:
        wording.parts(body)
    assert str(said.value) == sentence


def test_text_at_its_limits_is_read() -> None:
    assert len(wording.parts("# A part\nA line" + "\n- P" * 80)[0].points) == 80
    assert len(wording.parts("# A part\nA line\n- P\n" * 20)) == 20
    assert wording.parts("# A part\nA line\n- " + "x" * 998)[0].points[0].text == "x" * 998


@pytest.mark.parametrize("key", editions.documents())
def test_text_that_came_with_waymark_says_all_it_must_and_comes_back_the_same(key: str) -> None:
    text = editions.shipped(key)
    assert wording.missing(agreement.musts(key), text, part2=True) == []
    again = wording.parts(wording.body_of(text))
    assert [(p.title, p.line, [(x.text, x.ack) for x in p.points]) for p in again] == [
        (p.title, p.line, [(x.text, x.ack) for x in p.points]) for p in text.parts
    ]


def test_element_that_is_gone_is_named() -> None:
    text = editions.of_row(
        AgreementText(document="communications", version="1.1", **SAID | {"body": BODY.replace("STOP", "END")})
    )
    assert [must.what for must in wording.missing(agreement.musts("communications"), text, part2=False)] == [
        "That a reply of STOP ends the texts"
    ]
    assert wording._stands("ect", "a bad effect") is False


def test_rules_of_part_2_are_asked_of_a_part_2_programme_only() -> None:
    body = (
        "# The notice\nA line.\n- We offer you our notice, version 1 of 2026. You get the same care if you do not sign."
    )
    text = editions.of_row(AgreementText(document="npp_ack", version="1.1", **SAID | {"body": body}))
    found = [
        [m.what for m in wording.missing(agreement.musts("npp_ack"), text, part2=part2)] for part2 in (False, True)
    ]
    assert found == [[], ["The rules for records of a drug or alcohol program (42 CFR Part 2)"]]


def test_comparison_says_what_was_and_what_reads_now() -> None:
    before, body = editions.shipped("communications"), wording.body_of(editions.shipped("communications"))
    after = body.replace("We send messages in the daytime, unless you ask us to call sooner.", "We send from 8 to 9.")
    after = after.replace("- Reply STOP to any text, and we stop sending texts.\n", "") + "\n- Reply STOP to end texts."
    kept = {"title": before.title, "summary": before.summary, "sign": before.sign, "body": after}
    said = wording.changes(before, editions.of_row(AgreementText(document="communications", version="1.1", **kept)))
    assert [(each.kind, each.was, each.now) for each in said] == [
        (
            "changed",
            "We send messages in the daytime, unless you ask us to call sooner.",
            "We send from 8 to 9.",
        ),
        ("removed", "Reply STOP to any text, and we stop sending texts.", ""),
        ("added", "", "Reply STOP to end texts."),
    ]


# --- Draft and publishing --------------------------------------------------------------------------------------------


def test_draft_begins_with_the_running_text_and_changes_nothing_for_clients(as_user: As, rosa: User) -> None:
    browser = as_user(rosa)
    page = browser.get(DRAFT).content.decode()
    assert "# What we send" in page
    assert "Someone else could read a text or an e-mail." in page
    assert send(browser, DRAFT, SAID | {"version": "0"})["Location"] == DRAFT
    assert editions.running("communications").version == "1"
    words = text_of(browser.get(DRAFT))
    assert "Missing." not in words
    assert "Go on to publish" in words
    assert AuditEvent.objects.filter(action="agreement.drafted", actor_id=rosa.pk).count() == 1


def test_draft_that_lacks_something_is_kept_named_and_not_published(as_user: As, rosa: User) -> None:
    browser = as_user(rosa)
    send(browser, DRAFT, SAID | {"body": BODY.replace("STOP", "END"), "version": "0"})
    words = text_of(browser.get(DRAFT))
    assert "1 thing that has to be in it is missing." in words
    assert "That a reply of STOP ends the texts Missing. We look for: reply stop" in words
    assert "Go on to publish" not in words
    assert send(browser, PUBLISH, CHOICE | {"version": "1"}).status_code == 400
    assert AgreementText.objects.get().published_at is None


def test_draft_that_is_unclear_or_too_long_is_given_back_with_all_that_was_typed(as_user: As, rosa: User) -> None:
    browser = as_user(rosa)
    answer = send(browser, DRAFT, SAID | {"body": "Just words", "version": "0"})
    assert (answer.status_code, AgreementText.objects.count()) == (400, 0)
    assert "Line 1 comes before the first part." in text_of(answer)
    assert "Just words" in answer.content.decode()
    long = send(browser, DRAFT, SAID | {"title": "x" * 81, "version": "0"})
    assert (long.status_code, AgreementText.objects.count()) == (400, 0)
    assert send(browser, DRAFT, SAID | {"title": "x" * 80, "version": "0"}).status_code == 302


def test_hostile_words_stay_words_on_every_page(as_user: As, rosa: User, sam: Client, maya: User) -> None:
    """Security check 16: the practice's wording reaches pages as text only."""
    bad = "<script>alert(1)</script> {{ settings.SECRET_KEY }} {% load x %} \u202eevil"
    browser = as_user(rosa)
    send(browser, DRAFT, SAID | {"title": bad[:70], "body": f"{BODY}\n- {bad}", "version": "0"})
    send(browser, PUBLISH, CHOICE | {"version": "1"})
    phone = Phone(actions.invite(by=maya, client=sam, key="intake", at=NOW)).start()
    pages = [browser.get(url) for url in (LIST, VERSIONS, DRAFT, f"{VERSIONS}versions/1.1/")]
    for answer in [*pages, phone.browser.get("/my/q/agreement--communications/")]:
        html = answer.content.decode()
        assert answer.status_code == 200
        assert ("<script>alert" in html, "\u202e" in html) == (False, False)
    assert "{{ settings.SECRET_KEY }} {% load x %}" in html


def test_two_people_at_one_draft_are_told(as_user: As, rosa: User) -> None:
    drafted(rosa)
    browser = as_user(rosa)
    assert send(browser, DRAFT, SAID | {"title": "Mine", "version": "1"}).status_code == 302
    late = send(browser, DRAFT, SAID | {"title": "Theirs", "version": "1"})
    assert (late.status_code, AgreementText.objects.get().title) == (409, "Mine")
    assert "Somebody changed this draft first" in text_of(late)
    assert send(browser, DRAFT, SAID | {"title": "Theirs", "version": "0"}).status_code == 409


def test_draft_is_thrown_away_and_what_was_published_is_not(as_user: As, rosa: User) -> None:
    published(rosa)
    drafted(rosa, title="Another")
    assert send(as_user(rosa), DRAFT, {"put_away": "1"})["Location"] == VERSIONS
    assert list(AgreementText.objects.values_list("version", flat=True)) == ["1.1"]
    with pytest.raises(ValueError, match="somebody may have signed it"):
        AgreementText.objects.get().delete()


def test_publishing_asks_who_signs_again_and_why(as_user: As, rosa: User) -> None:
    drafted(rosa)
    browser = as_user(rosa)
    bare = send(browser, PUBLISH, {"version": "1"})
    assert (bare.status_code, AgreementText.objects.get().published_at) == (400, None)
    for sentence in (
        "Choose whether clients sign again.",
        "Say why they must, or need not, sign again.",
        "Say why there is a new version.",
    ):
        assert sentence in text_of(bare)
    assert send(browser, PUBLISH, CHOICE | {"version": "1"})["Location"] == VERSIONS
    row = AgreementText.objects.get()
    assert (row.version, row.published_by, row.must_sign, row.because, row.reason) == (
        "1.1",
        rosa,
        True,
        CHOICE["because"],
        CHOICE["reason"],
    )
    facts = AuditEvent.objects.get(action="agreement.published").facts
    assert facts == {"document": "communications", "version": "1.1", "must_sign": True, "sha256": row.sha256}
    words = text_of(browser.get(VERSIONS))
    for said in ("Version 1.1 is signed now.", CHOICE["because"], CHOICE["reason"], row.sha256, "Rosa Bell"):
        assert said in words


def test_publishing_wants_a_fresh_sign_in(as_user: As, rosa: User, clock: Any) -> None:
    """Security check 30."""
    drafted(rosa)
    browser = as_user(rosa)
    browser.get(LIST)
    clock.shift(timedelta(seconds=299))
    assert browser.get(PUBLISH).status_code == 200
    clock.shift(timedelta(seconds=2))
    assert browser.get(PUBLISH)["Location"].startswith("/account/reauthenticate/")
    send(browser, PUBLISH, CHOICE | {"version": "1"})
    assert AgreementText.objects.get().published_at is None


def test_second_publishing_and_a_draft_that_changed_meanwhile_are_refused(as_user: As, rosa: User) -> None:
    row = drafted(rosa)
    publishing.keep_draft(by=rosa, document="communications", edition=1, at=NOW, **SAID | {"title": "Changed"})
    how: dict[str, Any] = {"document": "communications", "must_sign": True, "because": "x", "reason": "y", "at": NOW}
    with pytest.raises(NotNow, match="Somebody changed or published this draft first"):
        publishing.publish(by=rosa, edition=row.edition, **how)
    publishing.publish(by=rosa, edition=2, **how)
    with pytest.raises(NotNow, match="Somebody changed or published this draft first"):
        publishing.publish(by=rosa, edition=2, **how)
    answer = as_user(rosa).get(PUBLISH, follow=True)
    assert "There is no draft to publish." in text_of(answer)


def test_text_that_reads_the_same_is_not_a_new_version(rosa: User) -> None:
    text = editions.shipped("communications")
    same: dict[str, Any] = {
        "title": text.title,
        "summary": text.summary,
        "sign": text.sign,
        "body": wording.body_of(text),
    }
    with pytest.raises(NotNow, match="Nothing is different"):
        published(rosa, **same)


def test_published_text_is_frozen(rosa: User) -> None:
    """Security check 78."""
    row = published(rosa)
    row.title = "Another"
    with pytest.raises(ValueError, match="is not edited"):
        row.save()
    assert AgreementText.objects.get().title == "Texts and mail"


@pytest.mark.parametrize(
    "url", [f"{LIST}nothing/", f"{LIST}nothing/draft/", f"{VERSIONS}versions/9/", f"{VERSIONS}versions/1.1/"]
)
def test_agreement_or_version_that_is_not_there_is_not_found(as_user: As, rosa: User, url: str) -> None:
    drafted(rosa)  # a draft is no version
    assert as_user(rosa).get(url).status_code == 404


def test_list_counts_who_signed_which_version_and_who_is_due(as_user: As, rosa: User, sam: Client, kit: Client) -> None:
    signed(sam)
    published(rosa)
    signed(kit, version="1.1")
    words = text_of(as_user(rosa).get(LIST))
    assert "Version 1.1: 1 client Version 1: 1 client" in words
    assert "1 client is due." in words


def test_list_costs_the_same_with_one_and_with_three_clients(as_user: As, rosa: User, maya: User, sam: Client) -> None:
    from tests import factories

    signed(sam)
    browser = as_user(rosa)
    browser.get(LIST)
    with CaptureQueriesContext(connection) as one:
        browser.get(LIST)
    for name in ("Ada Finch", "Bo Reed"):
        signed(factories.client(maya, name))
    with CaptureQueriesContext(connection) as three:
        browser.get(LIST)
    assert len(one) == len(three)


# --- What is signed then ---------------------------------------------------------------------------------------------


def test_client_signs_the_running_version_and_gets_that_exact_copy(sam: Client, maya: User, rosa: User) -> None:
    phone = Phone(actions.invite(by=maya, client=sam, key="intake", at=NOW)).start()
    published(rosa)
    page = phone.browser.get("/my/q/agreement--communications/")
    assert "We send messages in the daytime." in text_of(page)
    assert "This is version 1.1 of the text." in text_of(page)
    text = editions.load("communications", "1.1")
    said = {"typed_name": "Samuel Whitehorse", "relation": "self", "ack_p1": "on", "text": text.sha256}
    assert phone.post("/my/q/agreement--communications/", said).status_code == 303
    row = Signature.objects.get()
    assert (row.version, row.text_sha256, row.acknowledged) == ("1.1", text.sha256, ["p1"])
    assert "Texts and mail" in text_of(phone.browser.get("/my/check/"))
    published(rosa, at=NOW + timedelta(minutes=1), title="Newer still")
    words = text_of(phone.browser.get("/my/q/agreement--communications/"))
    assert ("Texts and mail" in words, "Newer still" in words) == (
        True,
        False,
    )
    browser = at_home(sam)
    assert "Texts and mail" in text_of(browser.get("/my/copies/"))
    copy = browser.get(f"/my/home/copies/{row.pk}/")
    assert (copy.status_code, copy["Content-Type"]) == (200, "application/pdf")


def test_text_that_changed_on_the_screen_is_not_signed(sam: Client, maya: User, rosa: User) -> None:
    phone = Phone(actions.invite(by=maya, client=sam, key="intake", at=NOW)).start()
    old = editions.running("communications").sha256
    published(rosa)
    said = {"typed_name": "Samuel Whitehorse", "relation": "self", "text": old}
    answer = phone.post("/my/q/agreement--communications/", said)
    assert "This text has just changed. Please read it again; nothing is signed yet." in text_of(answer)
    assert ("Samuel Whitehorse" in answer.content.decode(), Signature.objects.count()) == (True, 0)


def test_signature_counts_until_a_version_that_must_be_signed(sam: Client, rosa: User) -> None:
    signed(sam)
    assert resigning.is_current(sam, "communications", NOW)
    published(rosa, must_sign=False)
    assert resigning.is_current(sam, "communications", NOW)
    published(rosa, at=NOW + timedelta(minutes=1), title="Two")
    assert not resigning.is_current(sam, "communications", NOW)
    signed(sam, version="1.2", at=NOW + timedelta(minutes=2))
    published(rosa, must_sign=False, at=NOW + timedelta(minutes=3), title="Three")
    assert resigning.is_current(sam, "communications", NOW)
    assert sam.signatures.count() == 2


def test_client_who_never_signed_is_not_current_and_not_due(sam: Client, rosa: User) -> None:
    published(rosa)
    assert (resigning.is_current(sam, "communications", NOW), resigning.due(NOW)) == (False, [])


def test_practice_is_read_for_part_2(rosa: User) -> None:
    row = drafted(rosa)
    assert publishing.review(row, Practice.get()).missing == []
