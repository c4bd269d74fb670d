"""manage.py demo_links: one link for each kind of person of the demo; one that ran out is made good again."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from intake import trusted
from intake.models import Invitation, TrustedPerson
from intake.models.packets import HOME, LINK_LIFE
from practice.access import Role
from practice.kap.actions import chaperone
from practice.kap.models import ChaperoneLink, ClearanceRequest, Session
from practice.kap.models.clearance import REQUEST_LIFE
from practice.models import Client, Practice, RoleGrant
from referrals import desk_doors
from referrals.models import Referral
from referrals.models.referrals import LINK_LIFE as DESK_LIFE

UNANSWERED = (Invitation.State.SENT, Invitation.State.OPENED)
TO_FILES = "django.core.mail.backends.filebased.EmailBackend"


class Command(BaseCommand):
    help = "Print the links of the demo practice (DEMO=1 on this machine only)."

    def handle(self, **options: Any) -> None:
        if not (settings.DEMO and settings.LOOPBACK):
            raise CommandError("Demo links work with DEMO=1 and a loopback ORIGIN only.")
        now = timezone.now()
        granted = set(RoleGrant.objects.filter(user__is_demo=True, user__is_active=True).values_list("role", flat=True))
        for role in Role:
            if role.value in granted:
                self.say(role.value.replace("_", " "), reverse("demo_sign_in", args=[role.value]))
        for print_link in (self.forms, self.own_page, self.near_ones, self.clinic, self.prescriber, self.adult):
            print_link(now)
        if settings.EMAIL_BACKEND == TO_FILES:
            self.stdout.write(
                f"  Where a page sends a code: it is in the newest file in {settings.DATA_DIR}/mail (or sms)"
            )

    def forms(self, now: datetime) -> None:
        """A client's intake that nobody has begun."""
        rows = Invitation.objects.filter(client__is_demo=True, state__in=UNANSWERED, packet="intake")
        found = rows.exclude(client__status__in=Client.LEFT).order_by("-expires_at", "pk").first()
        if found:
            self.keep(found, "expires_at", now, LINK_LIFE)
            self.say("client, forms", found.path)

    def own_page(self, now: datetime) -> None:
        """The page of the client who has had one the longest."""
        rows = Invitation.objects.filter(client__is_demo=True, packet=HOME).exclude(state=Invitation.State.WITHDRAWN)
        found = rows.exclude(client__status__in=Client.LEFT).order_by("created_at", "pk").first()
        if found:
            self.keep(found, "expires_at", now, LINK_LIFE)
            self.say("client, page", found.path)

    def near_ones(self, now: datetime) -> None:
        practice, rows = Practice.get(), TrustedPerson.objects.select_related("client", "invitation")
        for kind, label in (("support", "trusted person"), ("guardian", "guardian")):
            people = rows.filter(client__is_demo=True, kind=kind).order_by("-given_at", "pk")
            person = next((each for each in people if trusted.state_of(each, now, practice) == trusted.OPEN), None)
            if person is not None:
                self.keep(person.invitation, "expires_at", now, LINK_LIFE)
                self.say(label, person.invitation.path)

    def clinic(self, now: datetime) -> None:
        """A referral that its clinic may read: one that waits for the first answer, when there is one."""
        rows = desk_doors.with_people(Referral.objects.open().filter(client__is_demo=True, destination__is_demo=True))
        found = next((row for row in rows.order_by("state", "-sent_at", "pk") if not desk_doors.why_gone(row)), None)
        if found is not None:
            self.keep(found, "link_expires_at", now, DESK_LIFE)
            self.say("clinic", found.desk_path)

    def prescriber(self, now: datetime) -> None:
        """A question to a prescriber without an account: one that waits, else the newest that was answered."""
        rows = ClearanceRequest.objects.filter(client__is_demo=True, to__is_demo=True, to__is_active=True)
        rows = rows.filter(taken_back_at=None).exclude(client__status__in=Client.LEFT)
        found = rows.order_by(F("answered_at").desc(nulls_first=True), "-asked_at", "pk").first()
        if found:
            self.keep(found, "expires_at", now, REQUEST_LIFE)
            self.say("outside prescriber", reverse("prescriber_open", args=[found.token]))

    def adult(self, now: datetime) -> None:
        """The adult in the home of a session by video. Nobody waits for the session: here the page opens at once."""
        rows = ChaperoneLink.objects.filter(session__plan__client__is_demo=True, ended_at=None, session__signed_at=None)
        rows = rows.filter(session__state__in=chaperone.OPEN, session__setting=Session.Setting.REMOTE)
        found = rows.exclude(session__plan__client__status__in=Client.LEFT).order_by("-made_at", "pk").first()
        if found:
            if found.opens_at > now:
                found.opens_at = now
                found.save(update_fields=["opens_at"])
            self.keep(found, "expires_at", now, chaperone.ENDS_AFTER)
            self.say("adult at home", reverse("chaperone_open", args=[found.token]), f"(code {found.code})")

    def keep(self, row: Any, field: str, now: datetime, life: timedelta) -> None:
        """Let a link that has run out work for its full life once more."""
        if getattr(row, field) <= now:
            setattr(row, field, now + life)
            row.save(update_fields=[field])

    def say(self, who: str, path: str, more: str = "") -> None:
        self.stdout.write(f"  {who:<19} {settings.ORIGIN}{path} {more}".rstrip())
