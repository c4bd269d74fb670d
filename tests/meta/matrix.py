"""Who gets what on every URL: the cast, the objects, and how a request of the matrix is made."""

from dataclasses import dataclass
from datetime import time, timedelta
from http.cookies import SimpleCookie
from typing import Any

from django.test import Client as Browser
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from intake import drafting, issuing, publishing, trusted
from intake.models import (
    Arrival,
    Assessment,
    Intake,
    Invitation,
    Measure,
    MedicinePage,
    Message,
    PacketStart,
    Schedule,
    SharedScores,
    Signature,
    SigningRequest,
)
from practice import actions, exports, instruments, taking_in
from practice.clinical import table
from practice.kap.actions import chaperone, feeds
from practice.kap.models import (
    Absence,
    ClearanceRequest,
    ClientAbsence,
    DoseClearance,
    OutsidePrescriber,
    Plan,
    Session,
)
from practice.models import (
    Apart,
    Client,
    CoverageShift,
    EmergencyAccess,
    Enquiry,
    Export,
    Job,
    KeptForm,
    Merge,
    Note,
    Notice,
    PsychotherapyNote,
    PublicPages,
    SafetyPlan,
    User,
)
from practice.notices import unsubscribe_token
from referrals import disclosure, letters
from referrals import packet as packets
from referrals.actions import releases, tuning
from referrals.models import (
    CaseQuestion,
    Decision,
    DeskKey,
    Destination,
    Letter,
    Referral,
    ReportFile,
    Sending,
    StatusChange,
    Suggestion,
)
from referrals.states import Actor, Event, State
from tests import brought
from tests.conftest import send, sign_in
from tests.homes import at_home
from tests.referrals import cases
from tests.referrals.desks import Coordinator

ROLES = (
    "anonymous", "client", "at_home", "clinic", "own", "colleague", "other_site", "supervisor", "prescriber",
    "front_desk", "admin", "ex_staff",
)  # fmt: skip


OF_INSTRUMENTS = (
    "instrument", "instrument_wording", "instrument_preview", "instrument_permission", "instrument_file",
    "instrument_end", "instrument_publish", "instrument_version",
)  # fmt: skip
PACKET_PAGES = (
    "packet_versions", "packet_begin", "packet_preview", "packet_draft", "packet_name", "packet_add", "packet_discard",
    "packet_publish", "packet_question", "packet_section", "packet_section_new", "packet_question_new",
)  # fmt: skip


@dataclass
class World:
    """One client of Maya's with one of everything, and the people who may or may not see it."""

    people: dict[str, User | None]
    client: Client
    objects: dict[str, Any]

    def arguments(self, name: str, wanted: list[str]) -> dict[str, Any]:
        """The arguments of this URL for our client's objects."""
        given: dict[str, Any] = {}
        for argument in wanted:
            key = f"{name}.{argument}"
            given[argument] = self.objects[key] if key in self.objects else self.objects[argument]
        return given


def build(people: dict[str, User | None], client: Client) -> World:
    now = timezone.now()
    maya = people["own"]
    assert maya is not None
    invitation = Invitation(
        client=client, packet="intake", packet_version="1", created_at=now, created_by=maya,
        expires_at=now + timedelta(days=14), state=Invitation.State.DONE, opened_at=now,
    )  # fmt: skip
    invitation.renew(now)
    invitation.save()
    live = Invitation(
        client=client, packet="check-in", packet_version="1", created_at=now, created_by=maya,
        expires_at=now + timedelta(days=14),
    )  # fmt: skip
    live.renew(now)
    live.save()
    intake = Intake.objects.create(client=client, invitation=invitation, started_at=now, submitted_at=now)
    assessment = Assessment(
        client=client, intake=intake, instrument="phq-9", instrument_version="", wording_sha256="0" * 64,
        total=12, band="moderate", taken_at=now, taken_on=now.date(),
    )  # fmt: skip
    from practice.clinical.instrument import load

    phq9 = load("phq-9")
    assessment.instrument_version = phq9.version
    assessment.answers = {item.link_id: 1 for item in phq9.items}
    assessment.save()
    signature = Signature(
        client=client, intake=intake, document="treatment", version="1", text_sha256="0" * 64, signed_at=now
    )
    signature.typed_name = "Sam Whitehorse"
    signature.save()
    alert = actions.raise_manual_flag(by=maya, client=client, severity="priority", reason="Said goodbye", at=now)
    note = Note(client=client, by=maya, at=now)
    note.body = "Note words"
    note.save()
    message = Message(client=client, at=now, read_by_at=now + timedelta(hours=2))
    message.words = "Message words"
    message.save()
    medicines = MedicinePage(client=client, kind="application/pdf", size=5, sha256="0" * 64, at=now)
    medicines.body = b"%PDF-"
    medicines.save()
    private = PsychotherapyNote(client=client, by=maya, at=now)
    private.body = "Private thought"
    private.save()
    suggestion = Suggestion.objects.filter(client=client, state=Suggestion.State.OPEN).first() or Suggestion(
        client=client, suggested="infusion_clinic", status="discuss", severity="priority", rules=[],
        rules_version="x", opened_at=now, decide_by=now,
    )  # fmt: skip
    suggestion.picture = suggestion.picture or {"phq9_total": 19}
    suggestion.save()
    kept = KeptForm(user=maya, path="/caseload/", at=now)
    kept.fields = [["body", "Typed words"]]
    kept.save()
    plan = SafetyPlan(
        client=client, number=1, steps={"reasons": [{"text": "My dog"}]}, means="done", means_words="Lee keeps them.",
        started_at=now, started_by=maya, finished_at=now, finished_by=maya, review_on=now.date() + timedelta(days=14),
        given_at=now,
    )  # fmt: skip
    plan.save()
    tried = tuning.try_numbers(
        by=people["admin"] or maya, rule=table.rule("IN-01"), numbers={"phq9_total >=": 17}, at=now
    )
    drill = actions.run_drill(by=people["admin"] or maya, at=now)
    clinic = Destination.objects.create(name="Northlake", email="desk@northlake.example", created_at=now)
    release = releases.ask(
        by=maya, client=client, destination=clinic, sections=["identity"], purpose="To decide about care",
        expires_on=(now + timedelta(days=90)).date(), part2=False, at=now,
    )  # fmt: skip
    decision = Decision(client=client, choice=Decision.Choice.WATCH, rules_version="x", by=maya, at=now)
    decision.reasoning = "Reasoning words"
    decision.save()
    question = CaseQuestion(client=client, decision=decision, to=maya, asked_by=maya, asked_at=now)
    question.question = "Question words"
    question.save()
    edited = issuing.begin(by=people["admin"] or maya, key="check-in", at=now)
    edited = issuing.change(
        by=people["admin"] or maya, key="check-in", seen=edited.version, at=now,
        act=lambda rows: drafting.ask(rows, "worry", drafting.Wording(text="How do you sleep?", type="words")),
    )  # fmt: skip
    start = PacketStart.objects.get_or_create(
        group="kap", packet="check-in", defaults={"by": people["admin"] or maya, "at": now}
    )[0]
    away = cases.clinic()
    cases.released(client, away)
    referral = cases.referral(client, maya, away, at=now, state=State.SENT, sent_at=now, sent_by=maya)
    referral.renew(now)
    referral.save()
    packet = packets.freeze(by=maya, referral=referral, at=now)
    sections = packets.sections_present(packet.content)
    answer = disclosure.may_disclose(client, away, sections, packets.PURPOSE, now)
    disclosure.disclose(
        by=maya, client=client, destination=away, referral=referral, packet=packet, sections=sections,
        purpose=packets.PURPOSE, channel="link", at=now, answer=answer,
    )  # fmt: skip
    change = StatusChange(
        referral=referral, number=1, event=Event.SEND, tid="01", source=State.DRAFT, target=State.SENT,
        actor=Actor.INITIATOR, by=maya, channel="here", happened_at=now, at=now,
    )  # fmt: skip
    change.save()
    publishing.keep_draft(
        by=people["admin"] or maya, document="ketamine", title="About ketamine", summary="In short", sign="I read it.",
        body="# What it is\nA line.\n- A point.", edition=0, at=now,
    )  # fmt: skip
    sent = Sending.objects.create(referral=referral, packet=packet, channel="link", address=away.email, at=now, by=maya)
    colleague = DeskKey.objects.create(destination=away, email="jo@other.example", created_at=now)
    letters.keep_pdf(packet, letters.packet_pdf(packet))
    letter = Letter(referral=referral, kind="application/pdf", size=5, at=now, by_name="Marta Lopez")
    letter.name, letter.body = "Outcome.pdf", b"%PDF-"
    letter.save()
    kap_plan = Plan.objects.create(client=client, shape="weekly", started_on=now.date(), created_by=maya)
    kap_session = Session.objects.create(
        plan=kap_plan, kind="dosing", number=1, starts_at=now + timedelta(days=3), therapist=maya
    )
    remote = Session.objects.create(
        plan=kap_plan, kind="dosing", number=2, starts_at=now + timedelta(hours=1), therapist=maya, setting="remote"
    )
    home = chaperone.ask(by=maya, session=remote, name="Kim Lee", phone="+1 202 555 0177", at=now)
    cleared = DoseClearance(
        client=client, doses=2, until=(now + timedelta(days=30)).date(), most_mg=100, route="sublingual",
        by=people.get("prescriber") or maya, at=now,
    )  # fmt: skip
    cleared.words = "Clearance words"
    cleared.save()
    outside = OutsidePrescriber.objects.get_or_create(name="Dr Grey", email="grey@rx.example")[0]
    question_out = ClearanceRequest(
        client=client, to=outside, plan=kap_plan, asked_by=maya, asked_at=now, expires_at=now + timedelta(days=14)
    )
    question_out.renew(now)
    question_out.save()
    person = trusted.give(
        by=client, name="Lee Park", relation="partner", phone="202 555 0961", email="", may=["see_plan"],
        until=(now + timedelta(days=90)).date(), signed_name="Sam Whitehorse", at=now,
    )  # fmt: skip
    disclosure.note_look(person=person, part="see_plan", at=now)
    shown = SharedScores(client=client, instrument="phq-9", shared_at=now, shared_by=maya)
    shown.first_on = shown.last_on = now.date()
    shown.words = "Words of the therapist"
    shown.save()
    emergency = EmergencyAccess(
        client=client, by=people.get("colleague") or maya, at=now - timedelta(hours=2), until=now - timedelta(hours=1)
    )
    emergency.reason = "Emergency words"
    emergency.save()
    for state, whose in ((Enquiry.State.KNOWN, client), (Enquiry.State.WAITING, None)):
        asked = Enquiry(client=whose, state=state, at=now, answer_by=now)
        asked.set_contact(email="noor@example.net", phone="202 555 0188")
        asked.name, asked.about, asked.reach = "Noor Vale", "Asked words", {"email": True, "note": "Not at night"}
        if whose is not None:
            asked.answered_at, asked.answered_by, asked.words = now, maya, "Answer words"
        asked.save()
    PublicPages.objects.update_or_create(pk=1, defaults={"starts_open": True, "starts_site": client.site})
    came = Arrival(client=client, at=now, confirmed_at=now)
    came.set_address("email", "noor@example.net")
    came.name, came.birth_date = "Noor Vale", "1991-03-08"
    came.save()
    mailed = Notice(client=client, template="reminder", channel="email", created_at=now)
    mailed.address = client.email
    mailed.save()
    twins = [
        actions.admit(by=None, site=client.site, therapist=maya, at=now, name_used="Twin Vale", status=status)
        for status in (Client.Status.INVITED, Client.Status.MERGED)
    ]
    merged = Merge(client=client, former=twins[1], at=now, by=maya)
    merged.words, merged.facts = "Merge words", {"kept": {}, "made": {}, "prescriber": "", "known": {}}
    merged.facts |= {"former": {"status": "invited", "therapist": str(maya.pk)}}
    merged.save()
    two = Apart(client=client, other=twins[0], at=now, by=maya)
    two.words = "Apart words"
    two.save()
    admin = people["admin"] or maya
    permission = instruments.standing("who-5") or brought.published(admin, "who-5", now, file=brought.PDF).permission
    brought.drafted(admin, "who-5", brought.wording("who-5", "Corrected"), at=now)
    heard = Invitation(
        client=client, packet="check-in", packet_version="1", created_at=now, expires_at=now + timedelta(days=14)
    )
    heard.token_digest = f"{heard.pk}"
    heard.save()
    entered = Intake.objects.create(
        client=client, invitation=heard, started_at=now, entered_how="room", completed_by="staff"
    )
    copy = Export.objects.create(client=client, asked_by=maya, asked_at=now, state=Export.State.READY, ready_at=now)
    exports.folder(copy).mkdir(parents=True, exist_ok=True)
    return World(
        people=people,
        client=client,
        objects={
            "pk": client.pk,
            "access": emergency.pk,
            "token": live.token,
            "page": "phq-9--1",
            "medicine_page.page": medicines.pk,
            "role": "therapist",
            "invitation": invitation.pk,
            **{f"{name}.key": "check-in" for name in PACKET_PAGES},
            "row": edited.rows["sections"][-1]["pages"][-1]["slug"],
            "section": "worry",
            "start": start.pk,
            "intake": intake.pk,
            "fill_in_check.intake": entered.pk,
            "fill_in_page.intake": entered.pk,
            "measure": Measure.objects.create(
                client=client,
                packet="check-in",
                why=Measure.Why.RECHECK,
                due_at=now + timedelta(days=7),
                planned_at=now,
            ).pk,
            "schedule": Schedule.objects.create(
                client=client,
                packet="check-in",
                rhythm="once",
                first_on=now.date() + timedelta(days=9),
                made_at=now,
                made_by=maya,
            ).pk,
            "assessment": assessment.pk,
            "signature": signature.pk,
            "document": "ketamine",
            "version": "1",
            "signing_request.pk": SigningRequest.objects.create(
                client=client, document="ketamine", version="1.1", asked_at=now
            ).pk,
            "my_copy.pk": signature.pk,
            "my_home_copy.pk": signature.pk,
            "my_answers_sent.pk": intake.pk,
            "my_person.pk": person.pk,
            "person_form.pk": invitation.pk,
            "part": "see_plan",
            "alert": alert.pk,
            "note": note.pk,
            "task": client.tasks.first().pk,
            "suggestion": suggestion.pk,
            "drill": drill.pk,
            "release": release.pk,
            "referral": referral.pk,
            "change": change.pk,
            "sent": sent.pk,
            "desk_open.token": referral.token,
            "desk_key_approve.key": colleague.pk,
            "destination.pk": away.pk,
            "destination_edit.pk": away.pk,
            "letter": letter.pk,
            "decision": decision.pk,
            "plan": kap_plan.pk,
            "session": kap_session.pk,
            "session_chaperone.session": remote.pk,
            "session_chaperone_end.session": remote.pk,
            "chaperone_open.token": home.token,
            "chaperone_news.token": home.token,
            "prescriber_open.token": question_out.token,
            "mail_stop.token": unsubscribe_token(mailed.pk),
            "feed.token": feeds.make(by=maya, at=now).token,
            "clearance": cleared.pk,
            "absence": ClientAbsence.objects.create(client=client, first_on=now.date(), last_on=now.date()).pk,
            "absence_remove.pk": Absence.objects.create(user=maya, first_on=now.date(), last_on=now.date()).pk,
            "question": question.pk,
            "export": copy.pk,
            "merge.other": twins[0].pk,
            "merge_undo.pk": merged.pk,
            "merge_apart.other": twins[0].pk,
            "apart_undo.pk": two.pk,
            "person": maya.pk,
            "rule": "SR-03",
            "rule_change.rule": "IN-01",
            "rule_preview.change": tried.pk,
            "client_import.pk": taking_in.keep(
                by=people["admin"] or maya, body=b"Name,Mail\nAda Vale,ada@example.org\n", encoding="", at=now
            ).pk,
            "enquiry.pk": asked.pk,
            "site_edit.pk": client.site_id,
            "coverage_remove.pk": CoverageShift.objects.create(user=maya, weekday=0, starts=time(8), ends=time(17)).pk,
            "person_edit.pk": maya.pk,
            "person_leave.pk": maya.pk,
            "person_invite.pk": maya.pk,
            "person_factor.pk": maya.pk,
            "person_sees.pk": maya.pk,
            "instrument_file.pk": permission.pk,
            "instrument_wording.language": "en",
            "instrument_version.number": 1,
            **{f"{name}.key": "who-5" for name in OF_INSTRUMENTS},
            "kept_discard.pk": kept.pk,
            "report_file.pk": (
                made := ReportFile.objects.create(by=maya, kind="csv", query="", reach="", asked_at=now, weeks_all=1)
            ).pk,
            "report_file_get.pk": made.pk,
            "kind": "safety",
            "job_again.pk": Job.objects.create(kind="tidy", state="dead", created_at=now, run_at=now).pk,
            "mfa_edit_webauthn.pk": 1,
            "mfa_remove_webauthn.pk": 1,
            "key": "x" * 20,
            "uidb36": "x",
        },
    )


def name_and_arguments(pattern: URLPattern) -> tuple[str, list[str]]:
    """The name of a URL and the arguments of its whole path, those of the includes above it too."""
    assert pattern.name
    ((_, wanted), *_), *_ = get_resolver().reverse_dict[pattern.name]
    return pattern.name, list(wanted)


def sign_everybody_in(world: World) -> dict[str, SimpleCookie[str]]:
    """The cookies of each role: signed in, on an opened link, or none. Ex-staff keep the ones they had."""
    cookies = {}
    for role in ROLES:
        browser, user = Browser(), world.people.get(role)
        if role == "clinic":
            Coordinator(Referral.objects.get(pk=world.objects["referral"]), browser=browser).come_in()
        elif role == "at_home":
            at_home(world.client, browser)
        elif role == "client":
            send(browser, reverse("link_open", args=[world.objects["token"]]))
        elif user is not None:
            active, user.is_active = user.is_active, True
            user.save()
            sign_in(browser, user)
            user.is_active = active
            user.save()
        cookies[role] = browser.cookies
    return cookies
