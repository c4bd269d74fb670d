"""What is open for a client, what was done lately, and the report of who saw and did what."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import actions, audit, merging, words
from practice.access import Permission
from practice.forms import HouseForm, attempt, words_field
from practice.models import AlertEvent, AuditEvent, Client, Task, User
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import moment
from practice.views import notes
from practice.views.chart import SIDE, Panel, allowed, frame, leading, named, open_flags, reader

PER_PAGE = 50
LATELY = timedelta(days=30)
MOST_TASKS = 60
ON_CHART = 6

# Items without a page of their own: words finish them.
BY_WORDS = (
    "call_me",
    "reconcile",
    "missed",
    "hand_off",
    "no_show",
    "client_says",
    "adverse",
    "integrate",
    "kap_integrate",
    "back_to_therapy",
    "booster",
    "todo",
    "quiet",
)

DONE_WORDS = {
    "safety": _("Safety flag closed"),
    "call_me": _("Called back"),
    "next_check": _("Safety check recorded"),
    "suggestion": _("Suggestion reviewed"),
    "missed": _("Missed session followed up"),
    "new_intake": _("Intake read"),
    "reconcile": _("Answers reconciled"),
    "unfinished": _("Form came back"),
    "assign": _("Given to a therapist"),
    "booster": _("Booster booked"),
    "todo": _("Task done"),
    "quiet": _("In touch again"),
    "care_today": _("Emergency steps recorded"),
    "care_check": _("Check after care today recorded"),
    "hand_off": _("Interim contact recorded"),
    "no_show": _("Missed visit followed up"),
    "declined": _("Another clinic chosen"),
    "clinic_asks": _("Clinic answered"),
    "client_says": _("Client answered"),
    "call_clinic": _("Clinic called"),
    "case_question": _("Question answered"),
    "back_to_therapy": _("Therapy booked"),
    "adverse": _("Adverse event followed up"),
    "integrate": _("Therapy contact recorded"),
    "kap_integrate": _("Integration recorded"),
    "letter": _("Letter read"),
    "recheck": _("Rechecked"),
    "plan_review": _("Safety plan reviewed"),
    "release": _("Release looked after"),
    "record_copy": _("Copy of the record given"),
    "message": _("Message looked after"),
    "medicines": _("Medication list typed"),
}
REPLACED = _("Suggestion replaced by a newer one")  # nobody reviewed it
TOLD_ON_CHART = {
    AlertEvent.Kind.OPENED: _("Safety flag opened"),
    AlertEvent.Kind.ROSE: _("Safety flag became more serious"),
    AlertEvent.Kind.ACKNOWLEDGED: _("Safety flag picked up"),
    AlertEvent.Kind.CONTACT: _("Safety contact recorded"),
}

# What the audit trail says, in words. An action that is not here shows its code.
ACTION_WORDS = {
    "medicines.sent": _("Sent a page of a medication list"),
    "medicines.taken_back": _("Took back a page of a medication list"),
    "medicines.typed": _("Noted that a medication list is typed"),
    "read.medicine_page": _("Took a page of a medication list as a file"),
    "read.my_medicines": _("Opened the page of their medication list"),
    "message.sent": _("Wrote to their therapist"),
    "message.answered": _("Wrote to the client"),
    "message.opened": _("Opened messages"),
    "message.put_away": _("Noted that a message needs no answer"),
    "message.draft_kept": _("Kept a message that is not sent"),
    "read.messages": _("Opened the messages with the client"),
    "read.inbox": _("Opened the list of messages"),
    "backup.made": _("A backup was made"),
    "backup.tried": _("Restoring a backup was tried"),
    "backup.restored": _("This was restored from a backup"),
    "hold.placed": _("Placed a legal hold"),
    "hold.lifted": _("Lifted a legal hold, in words"),
    "erasure.asked": _("Noted that the client asks to be deleted"),
    "erasure.restricted": _("Hid the record, because the law wants it kept"),
    "erasure.withdrawn": _("Closed the request to be deleted"),
    "client.erased": _("Deleted the record for good"),
    "enquiry.erased": _("A question of somebody who never became a client was deleted"),
    "draft.erased": _("Answers that were never sent were deleted"),
    "read.keeping": _("Opened the page of keeping and deleting"),
    "read.client_keeping": _("Opened the page of keeping this record"),
    "export.asked": _("Had a copy made"),
    "export.made": _("A copy was made"),
    "export.written": _("Wrote a copy of everything, at the server"),
    "practice.taken_in": _("Took the whole practice in from a copy, at the server"),
    "export.fetched": _("Fetched a copy"),
    "export.stopped": _("A copy was not made: the right to it was gone"),
    "export.deleted": _("A copy was deleted"),
    "read.my_record": _("Opened the page of a copy of their record"),
    "read.record_copy": _("Opened the page of copies"),
    "read.record_copies": _("Opened the list of copies asked for"),
    "access_request.asked": _("Asked for a copy of the record, or noted that the client did"),
    "access_request.extended": _("Put off a copy of the record, in words"),
    "access_request.given": _("Gave the client a copy of their record"),
    "access_request.withdrawn": _("Noted that the client wants no copy any more"),
    "report.exported": _("Took a report as a file"),
    "report.asked": _("Asked for a report as a file"),
    "report.made": _("A report is ready as a file"),
    "report.refused": _("A file of a report was stopped: who asked may not have it any more"),
    "report.deleted": _("A file of a report was deleted"),
    "decision.made": _("Wrote a decision"),
    "decision.added": _("Added to a decision"),
    "decision.review_came": _("A decision is to be looked at again"),
    "question.asked": _("Asked a colleague"),
    "question.answered": _("Answered a colleague's question"),
    "hold.cleared": _("Cleared a hold, in words"),
    "exclusion.overridden": _("Wrote a prescriber's reason against an exclusion"),
    "care_today.opened": _("Said that the client needs care today"),
    "care_today.recorded": _("Recorded emergency steps"),
    "care_today.checked": _("Recorded the check after care today"),
    "fact.recorded": _("Recorded what they know of the client"),
    "read.known": _("Opened the page of what clinicians know"),
    "read.decision": _("Opened a decision"),
    "read.decision_form": _("Opened the page to decide"),
    "read.question": _("Opened a colleague's question"),
    "read.hold": _("Opened what a rule holds"),
    "read.care_today": _("Opened the page of care today"),
    "read.chart": _("Opened the chart"),
    "read.notices": _("Opened the list of messages sent"),
    "read.activity": _("Opened this page"),
    "read.alert": _("Opened a safety flag"),
    "read.assessment": _("Opened an assessment"),
    "read.intake": _("Opened an intake"),
    "read.notes": _("Opened the notes"),
    "read.psychotherapy_notes": _("Opened their own psychotherapy notes"),
    "read.suggestion": _("Opened a suggestion"),
    "read.agreement": _("Opened an agreement"),
    "read.flag_form": _("Opened the form to raise a flag"),
    "read.task": _("Opened an item to do"),
    "read.measure": _("Opened a planned check-in"),
    "read.shared_scores": _("Opened what the client sees of their scores"),
    "read.people": _("Opened who has a page about the client"),
    "read.own_people": _("Looked at who has a page about them"),
    "read.shared": _("Looked at what is shared with them"),
    "trusted.given": _("Gave somebody a page of their own"),
    "trusted.changed": _("Changed what somebody may see"),
    "trusted.ended": _("Took somebody's page back"),
    "trusted.held": _("Held somebody's page back"),
    "trusted.let_go": _("Gave somebody's page free again"),
    "trusted.linked": _("Sent somebody the link to their page"),
    "trusted.ride_told": _("Told somebody that a ride is needed tomorrow"),
    "trusted.unlocked": _("Opened their page with a code"),
    "read.own_answers": _("Opened their own answers"),
    "scores.shared": _("Shared scores with the client"),
    "scores.unshared": _("Stopped sharing scores with the client"),
    "read.plan": _("Opened a plan"),
    "read.plan_form": _("Opened the page to plan"),
    "read.clearance": _("Opened the doses that are cleared"),
    "plan.made": _("Made a plan"),
    "plan.moved": _("Moved a session of a plan"),
    "plan.added": _("Added a session to a plan"),
    "plan.skipped": _("Left a session of a plan out"),
    "plan.booked": _("Booked what waited in a plan"),
    "plan.overridden": _("Lifted a limit for a plan, in words"),
    "plan.limit_kept": _("Left a limit of a plan as it is, in words"),
    "plan.ended": _("Ended a plan"),
    "plan.waits": _("Told the prescriber that a plan waits"),
    "plan.recorded": _("Recorded a plan"),
    "read.session": _("Opened a session"),
    "session.started": _("Started a session"),
    "session.logged": _("Wrote a line of a session"),
    "session.signed": _("Signed a session"),
    "session.placed": _("Said where a session takes place"),
    "session.chaperone_asked": _("Made the link of the adult in the home"),
    "session.chaperone_agreed": _("The adult in the home said that they are there"),
    "session.chaperone_wrong_code": _("Typed a code that did not fit on the link of the adult in the home"),
    "session.chaperone_ended": _("Ended the link of the adult in the home"),
    "clearance.granted": _("Cleared doses"),
    "clearance.withdrawn": _("Took a clearance back"),
    "read.absences": _("Opened the days on which the client cannot come"),
    "absence.added": _("Noted days away"),
    "absence.removed": _("Removed days away"),
    "client_absence.added": _("Noted days on which the client cannot come"),
    "client_absence.removed": _("Removed days on which the client cannot come"),
    "booster.told": _("Was told about the booster"),
    "integration.missed": _("Was told that no integration followed a dose"),
    "read.my_plan": _("Opened their own plan"),
    "intention.saved": _("Wrote for themselves about a session"),
    "intention.shared": _("Shared their words about a session"),
    "intention.unshared": _("Stopped sharing their words about a session"),
    "read.clearance_questions": _("Opened what was asked of a prescriber"),
    "clearance.asked": _("Asked a prescriber to clear doses"),
    "clearance.question_taken_back": _("Took a question to a prescriber back"),
    "clearance.code_sent": _("Was sent a code"),
    "clearance.unlocked": _("Opened the question with a code"),
    "clearance.wrong_code": _("Typed a code that did not fit"),
    "clearance.shown": _("Was shown name, birth date, plan, blood pressure and the question"),
    "clearance.declined": _("Cleared no dose, with words"),
    "alert.opened": _("A safety flag opened"),
    "alert.added": _("An answer was added to a safety flag"),
    "alert.climbed": _("A safety flag went to the next person"),
    "alert.acknowledged": _("Picked up a safety flag"),
    "alert.acknowledged_late": _("Wanted to pick up a safety flag that somebody had"),
    "alert.contact": _("Recorded a safety contact"),
    "alert.closed": _("Closed a safety flag"),
    "alert.noted": _("Added a note to a safety flag"),
    "read.safety_plan": _("Opened the safety plan"),
    "safety_plan.begun": _("Began a draft of the safety plan"),
    "safety_plan.saved": _("Saved the draft of the safety plan"),
    "safety_plan.finished": _("Finished a version of the safety plan"),
    "safety_plan.given": _("Gave the safety plan to the client"),
    "safety_plan.opened": _("Opened their safety plan"),
    "safety_plan.downloaded": _("Downloaded their safety plan"),
    "note.added": _("Added a note"),
    "psychotherapy_note.added": _("Added a psychotherapy note"),
    "task.done": _("Finished an item"),
    "client.discharged": _("Ended the client's care"),
    "client.taken_back": _("Took the client back into care"),
    "read.discharge": _("Opened the page to end care"),
    "client.admitted": _("Added the client"),
    "history.imported": _("Took answers over from another system"),
    "enquiry.received": _("Asked to be contacted"),
    "enquiry.invited": _("Made a client of somebody who asked"),
    "enquiry.known": _("Put an enquiry into the record of the client who sent it"),
    "enquiry.declined": _("Answered an enquiry that did not become a client"),
    "enquiry.purged": _("An enquiry that did not become a client was deleted after 90 days"),
    "read.enquiry": _("Opened an enquiry"),
    "read.enquiries": _("Opened the list of enquiries"),
    "intake.taken_over": _("Went on themselves with forms that a guardian had begun"),
    "intake.entered_for": _("Began to enter what the client says"),
    "invitation.made": _("Made forms to fill in here"),
    "invitation.handed_over": _("Handed the device over to the client"),
    "invitation.kiosk_code": _("Made a code for a device of the practice"),
    "invitation.kiosk_opened": _("Opened the forms with a code, on a device of the practice"),
    "kiosk.wrong_code": _("A wrong code was typed on a device of the practice"),
    "arrival.begun": _("Began the forms by themselves"),
    "arrival.code_sent": _("Sent a one-time code to somebody who begins"),
    "arrival.wrong_code": _("A wrong code was typed by somebody who begins"),
    "arrival.confirmed": _("Showed the code and became a new record"),
    "arrival.purged": _("Somebody began and never showed the code; that was deleted after a day"),
    "arrival.assigned": _("Gave a new person to a therapist"),
    "arrival.same_person": _("Said that two records are one person"),
    "read.arrivals": _("Opened the list of new people"),
    "public_pages.edited": _("Changed the public pages"),
    "import.kept": _("Sent a file of clients"),
    "import.started": _("Took in a file of clients"),
    "import.done": _("A file of clients was taken in"),
    "import.stopped": _("A file of clients was stopped: no right to import any more"),
    "import.discarded": _("Threw away a file of clients"),
    "read.import": _("Looked at the rows of a file of clients"),
    "client.edited": _("Changed the client's details"),
    "assessment.read": _("Marked an assessment as read"),
    "intake.read": _("Marked an intake as read"),
    "intake.trials_confirmed": _("Confirmed past treatment trials"),
    "intake.submitted": _("Sent their answers"),
    "packet.draft_begun": _("Began a draft of a packet"),
    "packet.draft_changed": _("Changed the draft of a packet"),
    "packet.draft_discarded": _("Threw the draft of a packet away"),
    "packet.published": _("Published a version of a packet"),
    "packet_start.added": _("Let a packet go out by itself"),
    "packet_start.removed": _("Stopped a packet from going out by itself"),
    "rules.tried": _("Tried other numbers in a rule"),
    "rules.changed": _("Changed the numbers of a rule"),
    "instrument.worded": _("Saved the wording of an instrument"),
    "instrument.permission": _("Wrote down the permission for an instrument"),
    "instrument.permission_ended": _("Ended the permission for an instrument"),
    "instrument.published": _("Published an instrument"),
    "suggestion.opened": _("A suggestion opened"),
    "suggestion.reviewed": _("Reviewed a suggestion"),
    "measure.passed_over": _("Passed over a planned check-in: paused, or asked already"),
    "measure.put_off": _("Put a planned check-in off to the next day: enough for one day"),
    "measures.paused": _("Paused their check-ins"),
    "measures.resumed": _("Went on with their check-ins"),
    "schedule.made": _("Set a check-in"),
    "schedule.changed": _("Changed a check-in"),
    "schedule.ended": _("Ended a check-in"),
    "client.hour_chosen": _("Chose the hour of their check-ins"),
    "read.schedules": _("Opened what is set to go out"),
    "read.my_check_ins": _("Opened their check-ins on their page"),
    "measure.planned": _("Planned a check-in"),
    "measure.sent": _("Sent a planned check-in"),
    "measure.not_sent": _("Could not send a planned check-in"),
    "measure.missed": _("Noted that a check-in did not come back"),
    "measure.stopped": _("Stopped planned check-ins"),
    "invitation.sent": _("Sent an invitation"),
    "invitation.opened": _("Opened the link"),
    "invitation.resent": _("Sent the link again"),
    "invitation.reminded": _("Sent a reminder"),
    "invitation.not_back": _("Noted that a form is not back"),
    "invitation.withdrawn": _("Took an invitation back"),
    "invitation.code_sent": _("Asked for a one-time code"),
    "home.linked": _("Made the link to the client's own page good for two weeks"),
    "sms.stopped": _("Their number answered STOP: no more texts"),
    "sms.started": _("Their number answered START: texts again"),
    "email.stopped": _("Unsubscribed from mails"),
    "email.started": _("Subscribed to mails again"),
    "notice.call_instead": _("A message had no way left: somebody is to call"),
    "text.answered": _("Answered their text"),
    "message.texted": _("Texted a number that nobody reads"),
    "home.sent": _("Sent the link to the client's own page"),
    "home.unlocked": _("Opened their own page"),
    "invitation.locked": _("Too many wrong codes: the link was locked"),
    "intake.started": _("Started a form"),
    "intake.unlocked": _("Came back to a form with a code"),
    "intake.wrong_code": _("Typed a wrong code"),
    "answer.saved": _("Saved an answer"),
    "answer.late": _("Gave a safety answer after sending"),
    "consent.signed": _("Signed an agreement"),
    "agreement.asked": _("Asked to sign an agreement again"),
    "agreement.declined": _("Did not sign the new version of an agreement"),
    "agreement.not_reached": _("Noted that nobody was reached about an agreement"),
    "agreement.ask_again": _("Put the client back among those who are asked to sign again"),
    "agreement.drafted": _("Changed the draft of an agreement"),
    "agreement.put_away": _("Put the draft of an agreement away"),
    "agreement.published": _("Published a new version of an agreement"),
    "agreement.asking_started": _("Started asking clients to sign again"),
    "agreement.asking_stopped": _("Stopped asking clients to sign again"),
    "read.signing": _("Opened the list of who is asked to sign again"),
    "agreement.settings": _("Changed how clients are asked to sign again"),
    "copy.downloaded": _("Downloaded the copy of an agreement"),
    "client.updated": _("Changed the client's details"),
    "client.merged": _("Put another record of the same person into this one"),
    "client.merged_away": _("Put this record into another one of the same person"),
    "client.apart": _("Said that two records that look alike are two people"),
    "client.apart_undone": _("Took back that two records are two people"),
    "client.taken_apart": _("Took two records apart again"),
    "read.merge": _("Opened the page that compares two records"),
    "read.merges": _("Opened the list of likely duplicates"),
    "client.transferred": _("Moved the client to another therapist"),
    "client.quiet": _("Noted that the client is quiet"),
    "client.heard": _("Noted that the client is in touch again"),
    "alert.handed_on": _("Passed an open safety flag on"),
    "question.passed": _("Passed a question to another colleague"),
    "client.possible_duplicate": _("Was told that the client may be here already"),
    "client.shown": _("Was shown the support page"),
    "client.tapped": _("Tapped on the support page"),
    "client.left": _("Left after a safety answer"),
    "client.came_back": _("Came back after a safety answer"),
    "client.call_wanted": _("Asked for a call"),
    "client.call_unwanted": _("Took back the request for a call"),
    "course.recorded": _("Recorded a course of infusions"),
    "course.booked": _("Booked a session at the clinic"),
    "course.called_off": _("Cancelled a session at the clinic"),
    "course.done": _("Marked a session at the clinic as done"),
    "course.missed": _("Marked a session at the clinic as missed"),
    "course.filled": _("Booked the sessions of a course"),
    "course.stopped": _("Ended a course early"),
    "course.went_on": _("Took back that a course ended early"),
    "referral.accept": _("Recorded that the clinic accepted"),
    "referral.decline": _("Recorded that the clinic declined"),
    "read.referral": _("Opened a referral"),
    "read.referral_form": _("Opened the form of a referral"),
    "referral.drafted": _("Began a referral"),
    "referral.edited": _("Changed a draft of a referral"),
    "referral.discarded": _("Put a draft of a referral away"),
    "referral.handed_over": _("Recorded the call that hands the client over"),
    "referral.send": _("Sent a referral"),
    "referral.delivered": _("A message to the clinic was delivered"),
    "referral.bounced": _("A message to the clinic came back"),
    "referral.sending_stopped": _("A fax was stopped before it went"),
    "referral.resent": _("Sent a referral again"),
    "referral.redirected": _("Prepared a referral for another clinic"),
    "referral.letter_kept": _("Put in a letter that came by fax or post"),
    "referral.schedule": _("Recorded a visit"),
    "referral.reschedule": _("Recorded a new day for a visit"),
    "referral.no_show": _("Recorded a missed visit"),
    "referral.cancel_visit": _("Recorded that a visit was cancelled"),
    "referral.visit": _("Recorded that a visit took place"),
    "referral.outcome": _("Recorded the outcome of a referral"),
    "referral.ask_cancel": _("Asked to take a referral back"),
    "referral.confirm_cancel": _("Recorded that a referral was taken back"),
    "referral.under_way_booked": _("Recorded that treatment is under way"),
    "referral.under_way_noted": _("Recorded that treatment is under way"),
    "referral.corrected": _("Took back an entry of a referral"),
    "referral.climbed": _("A silent referral went one step further"),
    "referral.reminded": _("Reminded the clinic of a referral"),
    "referral.called": _("Called the clinic about a referral"),
    "referral.closed": _("Put a referral away"),
    "referral.reopened": _("Brought a referral back"),
    "referral.client_asked": _("Asked the client whether they went"),
    "referral.client_said": _("Said something about their referral"),
    "read.desk": _("Opened the referral at the clinic"),
    "read.desk_packet": _("Opened the packet at the clinic"),
    "read.desk_pdf": _("Downloaded the packet at the clinic"),
    "desk.code_sent": _("Asked for a code for the clinic's page"),
    "desk.unlocked": _("Opened the clinic's page with a code"),
    "desk.wrong_code": _("Typed a wrong code on the clinic's page"),
    "desk.locked": _("Too many wrong codes: the clinic's page was locked"),
    "desk.link_renewed": _("Sent the clinic a new link"),
    "desk.mail_stopped": _("Asked for calls instead of mail"),
    "desk.address_approved": _("Approved an address of a clinic"),
    "referral.address_changed": _("Changed the address at which the clinic reads the referral"),
    "referral.received": _("Marked the referral as received"),
    "referral.message": _("Wrote about a referral"),
    "referral.safety_report": _("Reported a side effect or a safety worry"),
    "referral.letter": _("Sent a letter"),
    "referral.passed_on": _("Passed the referral to a colleague"),
    "referral.address_approved": _("Approved an address of a clinic"),
    "referral.messages": _("Chose whether to get messages about a referral"),
    "read.my_referral": _("Opened the page of their own referral"),
    "task.opened": _("Opened an item to do"),
    "task.given": _("Gave an item to a colleague"),
    "task.taken_back": _("Took back an item to do"),
    "read.audit": _("Opened the audit log"),
    "read.handovers": _("Opened who looked after the client before whom"),
    "read.identity": _("Opened the client's details"),
    "read.invitations": _("Opened the forms that were sent"),
    "read.releases": _("Opened the releases of information"),
    "read.release": _("Opened a release of information"),
    "read.disclosures": _("Opened the report of what left the practice"),
    "read.own_permissions": _("Looked at what they share"),
    "release.asked": _("Asked for a release of information"),
    "release.sent": _("Told the client that a release waits for them"),
    "release.signed": _("Signed a release of information"),
    "release.revoked": _("Took a release of information back"),
    "release.seen": _("Saw that a release ends or was taken back"),
    "release.ends_soon": _("A release of information ends soon"),
    "packet.frozen": _("Made a packet to be sent"),
    "read.packet": _("Opened a packet"),
    "read.packet_pdf": _("Downloaded a packet"),
    "read.fax_cover": _("Downloaded a fax cover"),
    "read.letter": _("Opened a letter from a clinic"),
    "read.letter_file": _("Downloaded a letter from a clinic"),
    "letter.read": _("Marked a letter as read"),
    "disclosure.made": _("Sent something by a release"),
    "disclosure.emergency": _("Sent something in an emergency, without a release"),
    "emergency.opened": _("Opened the chart in an emergency, though the client is not theirs"),
    "emergency.ended": _("Ended their emergency access"),
    "emergency.refused": _("Was refused emergency access"),
    "emergency.reviewed": _("Reviewed an emergency access"),
    "read.emergency": _("Opened an emergency access to review it"),
    "read.sees": _("Looked up what somebody here may do"),
    "read.access": _("Opened the report of who looked at what"),
    "read.access_file": _("Downloaded the report of who looked at what"),
    "refused": _("Was refused a page"),
}


def tasks(client: Client, at: datetime) -> list[Task]:
    """Open items and those done lately, the most pressing first. Asks the database once per client."""
    if not hasattr(client, "tasks_lately"):
        lately = client.tasks.filter(Q(done_at=None) | Q(done_at__gte=at - LATELY)).select_related("done_by")
        client.tasks_lately = list(lately.order_by("rank", "opened_at")[:MOST_TASKS])  # type: ignore[attr-defined]
    return client.tasks_lately  # type: ignore[attr-defined]


def todo(request: HttpRequest, client: Client, at: datetime) -> Panel:
    """The open items of this client, each leading to where it is done."""
    may_act = Permission.WRITE_NOTE in allowed(reader(request), client)
    rows = []
    still = [task for task in tasks(client, at) if task.done_at is None]
    led = leading(reader(request), still)
    for task in still:
        by_words = task.kind in BY_WORDS
        url = reverse("task_done", args=[client.pk, task.pk]) if by_words else task.action_url
        here = url == reverse("chart", args=[client.pk])
        rows.append(
            {
                "text": task.look.label,
                "why": words.why(task),
                "due": words.due(task, at),
                "late": bool(task.due_at and task.due_at <= at),
                "url": url if not here and (may_act if by_words else task.pk in led) else "",
                "action": task.look.action,
            }
        )
    return Panel("practice/todo_panel.html", {"rows": rows}, SIDE)


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel:
    """What was done lately, from the rows themselves; who looked at what is on the activity page."""
    person = reader(request)
    lines: list[tuple[datetime, str]] = []
    for task in tasks(client, at):
        if task.done_at is not None:
            replaced = task.kind == "suggestion" and task.done_by is None
            done = REPLACED if replaced else DONE_WORDS[task.kind]
            lines.append((task.done_at, _by(str(done), task.done_by, person)))
    lines += [(note.at, _by(gettext("Note"), note.by, person)) for note in notes.latest(client)]
    for flag in open_flags(client):
        for event in flag.events.all():
            if told := TOLD_ON_CHART.get(AlertEvent.Kind(event.kind)):
                lines.append((event.at, _by(str(told), event.by, person)))
    newest = sorted(lines, key=lambda line: line[0], reverse=True)[:ON_CHART]
    return Panel(
        "practice/activity_panel.html", {"rows": [{"text": text, "when": moment(when)} for when, text in newest]}, SIDE
    )


def _by(what: str, who: User | None, reader: Any) -> str:
    return gettext("{what}, by {who}").format(what=what, who=named(who, reader)) if who else what


class DoneForm(HouseForm):
    words = words_field(_("What was done"), _("Write what was done."))


@staff_page(Permission.WRITE_NOTE)
def task_done(request: HttpRequest, pk: UUID, task: UUID) -> HttpResponse:
    """Finish an item that has no page of its own, by words that become a note."""
    at = timezone.now()
    item = record_of(request, Task, task)
    if item.client_id != pk or item.kind not in BY_WORDS:
        raise Http404
    client = client_of(request, pk)
    form = DoneForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: actions.finish_task(by=reader(request), task=item, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("Done, and kept as a note."))
        return redirect("chart", pk)
    if request.method != "POST":
        audit.seen(request, client, "task", item)
    context = {**frame(request, client, at), "task": item, "why": words.why(item), "form": form}
    return render(request, "practice/task_done.html", context, status=400 if form.errors else 200)


@staff_page(Permission.READ_CHART)
def activity(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who saw and did what for this client, newest first: the audit report, so it alone reads the audit trail."""
    at = timezone.now()
    client = client_of(request, pk)
    audit.seen(request, client, "activity")
    page = Paginator(
        AuditEvent.objects.filter(client_id__in=merging.ids_of(client)).order_by("-seq"), PER_PAGE
    ).get_page(request.GET.get("page"))
    people = {user.pk: user.name for user in User.objects.filter(pk__in={e.actor_id for e in page if e.actor_id})}
    rows = [
        {"when": event.at, "who": actor_words(event, people), "what": ACTION_WORDS.get(event.action, event.action)}
        for event in page
    ]
    return render(request, "practice/activity.html", {**frame(request, client, at), "rows": rows, "page": page})


def actor_words(event: AuditEvent, people: dict[UUID, str]) -> str:
    if event.actor_kind == "staff":
        return people.get(event.actor_id, gettext("Somebody")) if event.actor_id else gettext("Somebody")
    return {
        "client": gettext("The client"),
        "clinic": gettext("The clinic"),
        "outside": gettext("The prescriber"),
        "home": gettext("The adult in the home"),
        "trusted": gettext("Somebody the client trusts, or a guardian"),
        "system": gettext("Waymark itself"),
    }.get(event.actor_kind, gettext("Nobody signed in"))
