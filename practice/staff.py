"""Writes about the people who work here and what serves them, in the manner of `practice.actions`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.utils.translation import gettext, ngettext

from practice import audit, jobs, notices
from practice.access import GRANTS, Permission, Role
from practice.actions import NotNow
from practice.adapters import password_link
from practice.models import Client, CoverageShift, Job, Notice, RoleGrant, Site, Task, User


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
) -> User:
    """Create somebody without a password and mail them the link that sets their first one."""
    person = User.objects.create_user(email, None, name=name, licence=licence, supervisor=supervisor, backup=backup)
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
) -> None:
    """Change who somebody is here. A change of roles ends their sessions. Nobody loses their therapist or admin."""
    person = User.objects.select_for_update().get(pk=person.pk)
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
    said = {"name": name, "email": email, "licence": licence, "supervisor": supervisor, "backup": backup}
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


def in_care(person: User) -> Any:
    return Client.objects.filter(therapist=person).exclude(status__in=Client.LEFT)


def prescribed(person: User) -> Any:
    return Client.objects.filter(prescriber=person).exclude(status__in=Client.LEFT)


@transaction.atomic
def let_go(*, by: User, person: User, therapist: User | None, prescriber: User | None, at: datetime) -> int:
    """Close somebody's account and hand their clients and open items over. Returns how many clients moved.

    Refused while a client would be left without a therapist or prescriber, or the practice without an admin.
    """
    person = User.objects.select_for_update().get(pk=person.pk)
    if not person.is_active:
        raise NotNow(gettext("They have left already."))
    if person == by:
        raise NotNow(gettext("You cannot let yourself go. Ask another admin."))
    if _last_admin(person):
        raise NotNow(gettext("They are the last admin. Make somebody else an admin first."))
    moved = 0
    for field, clients, successor, role in (
        ("therapist", in_care(person), therapist, Role.THERAPIST),
        ("prescriber", prescribed(person), prescriber, Role.PRESCRIBER),
    ):
        rows = list(clients.select_for_update())
        if not rows:
            continue
        if successor is None:
            raise NotNow(gettext("Choose who takes their clients as {role}.").format(role=role.label.lower()))
        if not (successor.is_active and role in successor.roles and successor != person):
            raise NotNow(gettext("Choose somebody who works here as {role}.").format(role=role.label.lower()))
        for client in rows:
            setattr(client, field, successor)
            client.version += 1
            client.save(update_fields=[field, "version"])
            audit.record(
                "client.transferred", by=by, client=client, target=client, at=at, to=str(successor.pk), role=field
            )
        moved += len(rows)
    Task.objects.filter(owner=person, done_at=None).update(owner=therapist)
    CoverageShift.objects.filter(user=person).delete()
    User.objects.filter(supervisor=person).update(supervisor=person.supervisor)
    User.objects.filter(backup=person).update(backup=None)
    person.is_active, person.left_at = False, at
    person.set_unusable_password()
    person.save()
    end_sessions(person)
    audit.record("person.left", by=by, target=person, at=at, clients=moved)
    return moved


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
