"""Writes about the people who work here and what serves them, in the manner of `practice.actions`."""

from collections.abc import Callable, Iterable
from datetime import datetime, time
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext, ngettext

from practice import audit, jobs, notices
from practice.access import GRANTS, Permission, Role
from practice.actions import NotNow, hand_on
from practice.adapters import password_link
from practice.handover import change, in_care, prescribed, still_open, transfer
from practice.models import (
    Alert,
    Client,
    CoverageShift,
    Job,
    KeptForm,
    Notice,
    Practice,
    RoleGrant,
    Site,
    Task,
    User,
)


@transaction.atomic
def employ(
    *,
    by: User | None,
    name: str,
    email: str,
    roles: Iterable[str],
    sites: Iterable[Site],
    licence: str = "",
    supervisor: User | None = None,
    backup: User | None = None,
    most_clients: int | None = None,
) -> User:
    """Create somebody without a password and mail them the link that sets their first one."""
    person = User.objects.create_user(
        email, None, name=name, licence=licence, supervisor=supervisor, backup=backup, most_clients=most_clients
    )
    RoleGrant.objects.bulk_create([RoleGrant(user=person, role=role) for role in sorted(roles)])
    person.sites.set(sites)
    audit.record("person.invited", by=by, target=person, roles=sorted(roles))
    _mail(person)
    return person


def _mail(person: User) -> None:
    notices.tell_staff(person, "staff_invitation", first=person.first_name, link=password_link(person))


@transaction.atomic
def invite_again(*, by: User, person: User) -> None:
    if not person.is_active:
        raise NotNow(gettext("They have left."))
    if person.has_usable_password():
        raise NotNow(gettext("They have set a password already. They can ask for a new one on the sign-in page."))
    audit.record("person.invited", by=by, target=person)
    _mail(person)


def _last_admin(person: User) -> bool:
    return Role.ADMIN in person.roles and not User.objects.with_role(Role.ADMIN).exclude(pk=person.pk).exists()


@transaction.atomic
def change_person(
    *,
    by: User,
    person: User,
    name: str,
    email: str,
    licence: str,
    roles: Iterable[str],
    sites: Iterable[Site],
    supervisor: User | None,
    backup: User | None,
    most_clients: int | None = None,
) -> None:
    """Change who somebody is here. A change of roles ends their sessions. Nobody loses their therapist or admin."""
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    before, after = person.roles, set(roles)
    if Role.ADMIN not in after and _last_admin(person):
        raise NotNow(gettext("They are the last admin. Make somebody else an admin first."))
    if Role.THERAPIST in before - after and (n := in_care(person).count()):
        raise NotNow(
            ngettext(
                "They are the therapist of {n} client. Hand that one over before you take the role away.",
                "They are the therapist of {n} clients. Hand those over before you take the role away.",
                n,
            ).format(n=n)
        )
    acts = any(Permission.ACT_ON_ALERT in GRANTS[role] for role in after)
    if not acts and person.shifts.exists():
        raise NotNow(gettext("They are on call for safety flags. Take them off the roster first."))
    said = {
        "name": name,
        "email": email,
        "licence": licence,
        "supervisor": supervisor,
        "backup": backup,
        "most_clients": most_clients,
    }
    changed = [field for field, value in said.items() if getattr(person, field) != value]
    for field in changed:
        setattr(person, field, said[field])
    person.save(update_fields=changed or None)
    person.sites.set(sites)
    if before != after:
        RoleGrant.objects.filter(user=person).exclude(role__in=after).delete()
        RoleGrant.objects.bulk_create([RoleGrant(user=person, role=role) for role in sorted(after - before)])
        changed.append("roles")
        end_sessions(person)
    audit.record("person.edited", by=by, target=person, fields=changed, roles=sorted(after))


@transaction.atomic
def reset_factor(*, by: User, person: User) -> None:
    """Take every second factor of somebody away, because they lost it; they set up a new one at the next sign-in."""
    if person == by:
        raise NotNow(gettext("You cannot take away your own second factor. Ask another admin."))
    Authenticator.objects.filter(user=person).delete()
    end_sessions(person)
    audit.record("person.factor_reset", by=by, target=person)


def end_sessions(person: User) -> None:
    for session in UserSession.objects.filter(user=person):
        session.end()


# What the apps above end or hand on when somebody leaves: each is called with by, person and at, in the same
# transaction, after the clients have been handed over.
GOING: list[Callable[..., object]] = []
# The clients of whom the apps above hand something on when somebody leaves: each is called with the person.
CONCERNED: list[Callable[[User], Iterable[Any]]] = []
# What they say beforehand of what goes where: a sentence each, "" for nothing.
GOES: list[Callable[[User], str]] = []


@transaction.atomic
def let_go(
    *,
    by: User,
    person: User,
    therapist: User | None,
    prescriber: User | None,
    supervisor: User | None,
    at: datetime,
    words: str = "",
) -> int:
    """Close somebody's account for good and hand on what stood with them. Returns how many clients moved.

    Refused while a client would be left without a therapist or prescriber, or the practice without an admin. Signed-in
    browsers, devices, second factors, calendar address, kept text and mail on its way end with the same transaction.
    """
    _hold_all(person, therapist)
    person.refresh_from_db()
    if not person.is_active:
        raise NotNow(gettext("They have left already."))
    if person == by:
        raise NotNow(gettext("You cannot let yourself go. Ask another admin."))
    if _last_admin(person):
        raise NotNow(gettext("They are the last admin. Make somebody else an admin first."))
    team = User.objects.filter(supervisor=person, is_active=True)
    _check_successor(supervisor, Role.SUPERVISOR, person, needed=False)
    CoverageShift.objects.filter(user=person).delete()
    moved = _hand_clients(by, person, therapist, prescriber, at, words)
    team.update(supervisor=supervisor)
    User.objects.filter(backup=person).update(backup=None)
    _pass_tasks(person)
    for flag in Alert.objects.open().filter(acknowledged_by=person, client__isnull=False):
        hand_on(by=by, alert=flag, former=person, at=at)
    for hook in GOING:
        hook(by=by, person=person, at=at)
    person.is_active, person.left_at = False, at
    person.set_unusable_password()
    person.save()
    ended = _end_everything(person)
    audit.record("person.left", by=by, target=person, at=at, clients=moved, **ended)
    return moved


def _hold_all(person: User, therapist: User | None) -> None:
    """Whom this concerns, clients first: nobody waits for somebody who waits for them."""
    theirs = {client.pk for client in (*in_care(person), *still_open(person), *prescribed(person))}
    tasks = Task.objects.filter(owner=person, done_at=None).values_list("client_id", flat=True)
    flags = (
        Alert.objects.open().filter(acknowledged_by=person, client__isnull=False).values_list("client_id", flat=True)
    )
    Client.objects.hold_each(theirs.union(tasks, flags, *(concerned(person) for concerned in CONCERNED)))
    people = Q(pk__in=[who.pk for who in (person, therapist) if who]) | Q(supervisor=person) | Q(backup=person)
    list(User.objects.select_for_update(no_key=True).filter(people).order_by("pk"))


def _check_successor(successor: User | None, role: Role, person: User, *, needed: bool) -> None:
    if successor is None and needed:
        raise NotNow(gettext("Choose who takes their clients as {role}.").format(role=role.label.lower()))
    if successor and not (successor.is_active and role in successor.roles and successor != person):
        raise NotNow(gettext("Choose somebody who works here as {role}.").format(role=role.label.lower()))


def _hand_clients(
    by: User, person: User, therapist: User | None, prescriber: User | None, at: datetime, words: str
) -> int:
    theirs = [*in_care(person), *still_open(person)]
    rows = list(prescribed(person))
    _check_successor(therapist, Role.THERAPIST, person, needed=bool(theirs))
    _check_successor(prescriber, Role.PRESCRIBER, person, needed=bool(rows))
    moved = transfer(by=by, clients=theirs, to=therapist, at=at, words=words) if theirs and therapist else 0
    for client in rows:
        client.refresh_from_db(fields=["version", "therapist"])
        change(client, "prescriber", prescriber, by=by, at=at)  # type: ignore[arg-type]
    return moved + len(rows)


def _pass_tasks(person: User) -> None:
    """Open items of other people's clients go to whoever treats the client."""
    theirs = Client.objects.filter(pk=OuterRef("client_id"), therapist__is_active=True).values("therapist")
    open_items = Task.objects.filter(owner=person, done_at=None)
    open_items.update(owner=Subquery(theirs[:1]))


def _end_everything(person: User) -> dict[str, Any]:
    """End what still works by itself: browsers, second factors and passkeys, kept text, mail that waits."""
    end_sessions(person)
    kept, _each = KeptForm.objects.filter(user=person).delete()
    factors, _each = Authenticator.objects.filter(user=person).delete()
    waiting = Notice.objects.filter(user=person, state=Notice.State.WAITING)
    return {
        "kept": kept,
        "factors": factors,
        "messages_stopped": waiting.update(state=Notice.State.STOPPED, words=None),
    }


@transaction.atomic
def keep_site(*, by: User | None, site: Site | None, name: str, zone: str, address: str = "", phone: str = "") -> Site:
    """Add a place where the practice works, or change it. Two of them never have one name."""
    Practice.objects.select_for_update(no_key=True).get_or_create(pk=1)
    same = Site.objects.filter(name__iexact=name)
    if (same.exclude(pk=site.pk) if site else same).exists():
        raise NotNow(gettext("There is a site called {name} already.").format(name=name))
    said = {"name": name, "zone": zone, "address": address, "phone": phone}
    if site is None:
        site = Site.objects.create(**said)
        audit.record("site.added", by=by, target=site)
        return site
    changed = [field for field, value in said.items() if getattr(site, field) != value]
    for field in changed:
        setattr(site, field, said[field])
    site.save(update_fields=changed or None)
    audit.record("site.edited", by=by, target=site, fields=changed)
    return site


@transaction.atomic
def whole_week(*, by: User, person: User) -> None:
    """Put somebody on call at every hour of the week; hours that they have already stay one row."""
    for weekday, _label in CoverageShift.weekday.field.choices or []:
        for starts, ends in HALVES:
            shift, new = CoverageShift.objects.get_or_create(user=person, weekday=weekday, starts=starts, ends=ends)
            if new:
                audit.record("coverage.added", by=by, target=shift, person=str(person.pk))


HALVES = ((time(0), time(12)), (time(12), time(0)))  # a shift of a whole day would begin when it ends


@transaction.atomic
def try_again(*, by: User, job_id: UUID, at: datetime) -> bool:
    """Let a job that gave up run once more, with the message it carries. False when it has not given up."""
    job = Job.objects.filter(pk=job_id, state=Job.State.DEAD).first()
    if job is None:
        return False
    Job.objects.filter(pk=job.pk).update(state=Job.State.DUE, run_at=at, attempts=0, lease_until=None)
    if job.kind == "deliver_notice":
        Notice.objects.filter(pk=job.ref, state=Notice.State.FAILED).update(state=Notice.State.WAITING, attempts=0)
    audit.record("job.again", by=by, target=job, kind=job.kind)
    transaction.on_commit(lambda: jobs.hand_over(str(job.pk)))
    return True
