"""The staff side of invitations: invite somebody, see what became of what was sent, send it again, take it back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import actions, doors, packet, starting
from intake.models import Invitation
from intake.models.packets import HOME, PAGES
from practice import alike, audit, handover, instruments, notices
from practice.access import GRANTS, REACH, Permission, Reach, Role
from practice.actions import NotNow, admit
from practice.forms import HouseForm, words_field
from practice.models import Client, Notice, Practice, Site, User
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.sealed import blind
from practice.templatetags.ui import day, moment
from practice.views.chart import SIDE, Panel, allowed
from practice.views.clients import PersonForm, back_to
from practice.views.people import Taker

ON_CHART = 4
LISTED = 50
State = Invitation.State
SENT_AS = ("invitation", "check_in", "reminder")  # the messages that carry the link of a form


def packets() -> list[tuple[str, str]]:
    """What may be sent: our packets, then the instruments that the practice brought."""
    brought = [packet.of_instrument(each) for each in instruments.in_use(timezone.now())]
    return [
        (each.key, gettext("{title}, about {n} minutes").format(title=each.title, n=each.minutes))
        for each in (*packet.all_packets(), *brought)
        if not each.by_plan
    ]


class PacketForm(HouseForm):
    packet = forms.ChoiceField(label=_("What to send"), choices=packets, widget=forms.RadioSelect)


# --- Somebody new ----------------------------------------------------------------------------------------------------


class NewClientForm(PersonForm):
    language = forms.ChoiceField(label=_("Language of the forms and messages"), choices=settings.LANGUAGES)
    therapist = Taker(
        label=_("Therapist"),
        queryset=User.objects.none(),
        empty_label=_("Choose a therapist"),
        error_messages={"required": _("Choose their therapist.")},
    )
    site = forms.ModelChoiceField(
        label=_("Site"),
        queryset=Site.objects.none(),
        empty_label=_("Choose a site"),
        error_messages={"required": _("Choose the site.")},
    )
    over = words_field(
        _("Why, though they have as many clients as they take"), "", required=False, max_length=400, rows=2
    )
    packet = forms.ChoiceField(label=_("What to send"), choices=packets, widget=forms.RadioSelect)
    another = forms.BooleanField(
        label=_("This is another person. Invite them too."), required=False, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user, self.same = user, Client.objects.none()
        self.fields["therapist"].queryset = handover.with_load(therapists(user))  # type: ignore[attr-defined]
        self.fields["over"].widget = forms.HiddenInput()
        self.fields["site"].queryset = sites(user)  # type: ignore[attr-defined]
        self.fields["packet"].initial = packets()[0][0]
        for name in ("therapist", "site"):
            found = list(self.fields[name].queryset[:2])  # type: ignore[attr-defined]
            if len(found) == 1 or (name == "therapist" and user in found and Reach.OWN in reach(user)):
                self.fields[name].initial = user if name == "therapist" and user in found else found[0]
            if len(found) == 1:
                self.fields[name].empty_label = None  # type: ignore[attr-defined]
        if len(settings.LANGUAGES) == 1:
            self.fields["language"].widget = forms.HiddenInput()
            self.fields["language"].initial = settings.LANGUAGES[0][0]

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        therapist, site = said.get("therapist"), said.get("site")
        if therapist and site and not therapist.sites.filter(pk=site.pk).exists():
            self.add_error("site", gettext("{name} does not work at this site.").format(name=therapist.name))
        if therapist and handover.is_over(therapist, 1):
            self.fields["over"].widget = forms.Textarea({"rows": 2})
            if not said.get("over"):
                self.add_error("over", handover.over_words(therapist))
        self.same = Client.objects.visible_to(self.user).filter(same_as(said))
        if self.same.exists():
            self.fields["another"].widget = forms.CheckboxInput()
            if not said.get("another"):
                self.add_error(
                    "another",
                    _("You have a client with this e-mail or phone. Open them, or tick that this is another person."),
                )
        return said


def same_as(said: dict[str, Any]) -> Q:
    mail, phone = said.get("email"), said.get("phone")
    return alike.by_contact(blind("email", mail) if mail else "", blind("phone", phone) if phone else "")


def reach(user: User) -> set[Reach]:
    return {REACH[role] for role in user.roles if Permission.INVITE_CLIENT in GRANTS[role]}


def therapists(user: User) -> QuerySet[User]:
    """For whom this person may invite: themselves, their team, their sites' therapists, or any."""
    everyone = User.objects.with_role(Role.THERAPIST)
    held = reach(user)
    if Reach.PRACTICE in held:
        return everyone
    asked = Q(pk__in=[])
    if Reach.OWN in held:
        asked |= Q(pk=user.pk)
    if Reach.TEAM in held:
        asked |= Q(supervisor=user) | Q(pk=user.pk)
    if Reach.SITE in held:
        asked |= Q(sites__in=user.sites.all())
    return everyone.filter(asked).distinct()


def sites(user: User) -> QuerySet[Site]:
    """The sites at which they may: all, their own, or those of the people they may invite for."""
    if Reach.PRACTICE in reach(user):
        return Site.objects.all()
    return Site.objects.filter(Q(staff=user) | Q(staff__in=therapists(user).values("pk"))).distinct()


@staff_page(Permission.INVITE_CLIENT)
def client_new(request: StaffRequest) -> HttpResponse:
    form = NewClientForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            client = admit_and_invite(request.user, form, timezone.now())
        except NotNow as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(
                request, gettext("Sent to {name}. You see here when it is opened.").format(name=client.name)
            )
            return redirect("client_invite", client.pk)
    context = {
        "form": form,
        "same": list(form.same[:5]),
        "nobody": not form.fields["therapist"].queryset,  # type: ignore[attr-defined]
        "may_invite": request.user.may(Permission.MANAGE_PEOPLE),
        "previews": previews(request.practice, form["packet"].value(), form["language"].value()),
    }
    return render(request, "intake/client_new.html", context, status=400 if form.errors else 200)


@transaction.atomic
def admit_and_invite(user: User, form: NewClientForm, at: datetime) -> Client:
    """Both or neither. Says nothing of clients whom this person may not see; the audit trail counts them."""
    said = form.cleaned_data
    others = Client.objects.filter(same_as(said)).exclude(status=Client.Status.MERGED)
    elsewhere = others.exclude(pk__in=form.same.values("pk")).count()
    client = admit(
        by=user,
        site=said["site"],
        therapist=said["therapist"],
        at=at,
        name_used=said["name_used"],
        email=said["email"],
        phone=said["phone"],
        reach=form.reach(),
        language=said["language"],
    )
    if said["over"]:
        handover.began(client, by=user, at=at, words=said["over"])
    if elsewhere:
        audit.record("client.possible_duplicate", by=user, client=client, target=client, others=elsewhere)
    actions.invite(by=user, client=client, key=said["packet"], at=at)
    starting.joined(client, starting.Group.NEW, subject_id=client.pk, at=at)
    return client


def previews(practice: Practice, key: str, language: str) -> list[dict[str, str]]:
    """What the client will read, word for word, with the place where the link stands."""
    offered = [each for each in packet.all_packets() if not each.by_plan]
    minutes = next((each for each in offered if each.key == key), offered[0]).minutes
    link = notices.link("/p/…/")
    shown = []
    for channel in notices.TEMPLATES["invitation"]:
        subject, body = notices.render("invitation", channel, {"link": link, "minutes": minutes}, practice, language)
        shown.append({"channel": str(Notice.Channel(channel).label), "subject": subject, "body": body})
    return shown


# --- What was sent ---------------------------------------------------------------------------------------------------


@staff_page(Permission.INVITE_CLIENT)
def client_invite(request: StaffRequest, pk: UUID) -> HttpResponse:
    at, client = timezone.now(), client_of(request, pk)
    usual = "check-in" if client.invitations.exclude(packet__in=PAGES).exists() else "intake"
    form = PacketForm(request.POST or None, initial={"packet": usual})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                actions.invite(by=request.user, client=client, key=form.cleaned_data["packet"], at=at)
        except NotNow as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, gettext("Sent."))
            return redirect("client_invite", client.pk)
    if request.method != "POST":
        audit.seen(request, client, "invitations")
    context = {
        "client": client,
        "form": form,
        "rows": rows(client, at, LISTED),
        "here": here_form(initial={"packet": _waits(client, at) or usual}),
        "may_fill": Client.objects.filter(pk=client.pk).visible_to(request.user, Permission.FILL_IN).exists(),
        "home": _home(client, at),
        "ways": _ways(client),
        "previews": previews(request.practice, form["packet"].value(), client.language),
        "back": back_to(request.user, client),
    }
    return render(request, "intake/client_invite.html", context, status=400 if form.errors else 200)


def _waits(client: Client, at: datetime) -> str:
    """The forms that have waited longest for this client, whole ones that staff may choose; "" when none do."""
    asked = client.invitations.filter(state__in=actions.OPEN, expires_at__gt=at, only=[])
    offered = {key for key, _title in packets()}
    return next((row.packet for row in asked.order_by("created_at", "pk") if row.packet in offered), "")


def here_form(**kwargs: Any) -> PacketForm:
    from intake.views.behalf import FillForm  # it builds on the form above

    return FillForm(**kwargs)


def _home(client: Client, at: datetime) -> dict[str, Any]:
    """The client's own page, as staff see it: until when its link works, and when it was last opened first."""
    row = client.invitations.filter(packet=HOME).first()
    if row is None or not doors.opens_home(row, at):
        return {"row": None, "seen": row.sending if row else "", "words": gettext("No link to it works now.")}
    words = gettext("The link works until {day}.").format(day=day(row.expires_at))
    if row.opened_at:
        words += " " + gettext("First opened {when}.").format(when=moment(row.opened_at))
    return {"row": row, "seen": row.sending, "words": words}


def _ways(client: Client) -> list[str]:
    """By which ways a message goes out now."""
    names = {"email": gettext("e-mail"), "sms": gettext("text message")}
    return [names[str(channel)] for channel in notices.TEMPLATES["invitation"] if client.may_reach_by(channel)]


def _invitation(request: StaffRequest, pk: UUID, invitation: UUID) -> Invitation:
    found: Invitation = record_of(request, Invitation, invitation, of=pk)
    return found


@staff_page(Permission.INVITE_CLIENT)
def invitation_resend(request: StaffRequest, pk: UUID, invitation: UUID) -> HttpResponse:
    row = _invitation(request, pk, invitation)
    if request.method == "POST":
        at, seen = timezone.now(), request.POST.get("seen")
        _try(request, gettext("Sent again with a new link. The old link has stopped working."),
             lambda: actions.resend(by=request.user, invitation=row, at=at, seen=seen))  # fmt: skip
    return redirect("client_invite", pk)


@staff_page(Permission.INVITE_CLIENT)
def invitation_withdraw(request: StaffRequest, pk: UUID, invitation: UUID) -> HttpResponse:
    row = _invitation(request, pk, invitation)
    if request.method == "POST":
        _try(request, _taken_back(row),
             lambda: actions.withdraw(by=request.user, invitation=row, at=timezone.now()))  # fmt: skip
    return redirect("client_invite", pk)


def _taken_back(row: Invitation) -> str:
    if row.packet == HOME:
        return gettext("Their page is closed. Nobody can open it until a new link is sent.")
    return gettext("Taken back. The link has stopped working; answers given so far are kept.")


@staff_page(Permission.INVITE_CLIENT)
def home_send(request: StaffRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    if request.method == "POST":
        at, seen = timezone.now(), request.POST.get("seen")
        _try(request, gettext("Sent the link to their own page."),
             lambda: actions.send_home(by=request.user, client=client, at=at, seen=seen))  # fmt: skip
    return redirect("client_invite", pk)


def _try(request: StaffRequest, done: str, act: Any) -> None:
    try:
        act()
    except NotNow as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, done)


def panel(request: StaffRequest, client: Client, at: datetime) -> Panel | None:
    """What was sent to this client and how far it came, newest first."""
    found = rows(client, at, ON_CHART)
    may_send = Permission.INVITE_CLIENT in allowed(request.user, client)
    if not found and not may_send:
        return None
    return Panel("intake/invitations_panel.html", {"client": client, "rows": found, "may_send": may_send}, SIDE)


def rows(client: Client, at: datetime, limit: int) -> list[dict[str, Any]]:
    asked = client.invitations.exclude(packet__in=PAGES)
    sent = asked.select_related("intake", "created_by").order_by("-created_at")[:limit]
    lost = set(
        Notice.objects.filter(client=client, template__in=SENT_AS, state=Notice.State.FAILED)
        .order_by("-created_at")
        .values_list("created_at", flat=True)[:LISTED]
    )
    return [_row(invitation, at, lost) for invitation in sent]


def _row(invitation: Invitation, at: datetime, lost: set[datetime]) -> dict[str, Any]:
    sitting = getattr(invitation, "intake", None)
    is_open = invitation.state in actions.OPEN
    since = invitation.sent_at or invitation.created_at
    return {
        "invitation": invitation,
        "title": _title(invitation),
        "state": State(invitation.state).label
        if invitation.sent_at or invitation.state != State.SENT
        else gettext("Waits here"),
        "words": _story(invitation, sitting, at),
        "by": invitation.created_by,
        "open": is_open,
        "late": is_open and not invitation.is_live(at),
        "lost": is_open and any(when >= since for when in lost),
    }


def _title(invitation: Invitation) -> str:
    wanted = actions.packet_for(invitation)
    if not invitation.only:
        return wanted.title
    return ngettext("{n} question of “{title}”", "{n} questions of “{title}”", len(wanted.by_slug)).format(
        n=len(wanted.by_slug), title=wanted.title
    )


def _story(invitation: Invitation, sitting: Any, at: datetime) -> str:
    """Return "Sent Wed Nov 18, opened Thu Nov 19. 2 reminders sent."."""
    said = [
        gettext("Sent {day}").format(day=day(invitation.sent_at))
        if invitation.sent_at
        else gettext("Made to fill in here {day}").format(day=day(invitation.created_at))
    ]
    if invitation.opened_at:
        said.append(gettext("opened {day}").format(day=day(invitation.opened_at)))
    if sitting and sitting.submitted_at:
        said.append(gettext("finished {when}").format(when=moment(sitting.submitted_at)))
    elif sitting and sitting.saved_at:
        said.append(gettext("last answer {when}").format(when=moment(sitting.saved_at)))
    story = ", ".join(said) + "."
    if invitation.reminders and invitation.state in actions.OPEN:
        story += " " + ngettext("{n} reminder sent.", "{n} reminders sent.", invitation.reminders).format(
            n=invitation.reminders
        )
    if invitation.state in actions.OPEN and not invitation.is_live(at):
        story += " " + gettext("The link ran out {day}.").format(day=day(invitation.expires_at))
    return story
