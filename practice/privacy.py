"""The privacy class of every column. Each model says it in `class Privacy`; a test fails on a column without one.

IDENTIFYING  tells who somebody is or how to reach them
CLINICAL     tells how somebody is, or what was done for them
PLAIN        neither (ids, states, clocks)
`sealed` is not said twice: a column is sealed when its field is a SealedField.
"""

from collections.abc import Iterator

from django.apps import apps
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice.sealed import SealedField

OURS = ("practice", "intake", "referrals", "kap")

# What an export leaves out, and the reason that it gives for it. Everything that is not named here is exported.
LEFT_OUT: dict[str, str | Promise] = {
    "practice.PsychotherapyNote": _("Psychotherapy notes are kept apart from the record by law (45 CFR 164.501)."),
    "practice.NameStart": _("An index made from the names, with a key that stays here."),
    "practice.Job": _("Work waiting to be done; it says nothing that the record does not."),
    "practice.Notice": _(
        "How messages travelled, with their words emptied; that one was sent stands with the form, the referral or the "
        "flag it was about."
    ),
    "practice.Stop": _(
        "Numbers and mailboxes that asked us to stop, as keyed indexes: of a client the record says it, of anybody "
        "else the carrier's own list."
    ),
    "practice.SentForm": _("Keys that stop a form from being taken twice."),
    "practice.KeptForm": _("What somebody on staff was typing when their page locked; it is theirs."),
    "practice.ClientImport": _("A file of clients while it is being taken in; the clients themselves are in the copy."),
    "practice.AuditEvent": _("The trail of who looked at what. It has its own page, and a backup carries it."),
    "practice.AuditHead": _("The end of that trail."),
    "practice.Export": _("A note that this copy, or one like it, was made."),
    "practice.ExportFile": _("The table of contents of such a copy."),
    "practice.Backup": _("When this installation was last backed up; another one makes its own."),
    "intake.KioskTry": _("Wrong codes typed on a device of the practice; they say nothing of anybody."),
    "intake.MessageDraft": _("What a client has typed to their therapist and not sent."),
    "referrals.ReportFile": _("A note that a report was made as a file; what it was made from is in the copy."),
    "referrals.ReportPart": _("The rows of such a file, as they were then."),
    "kap.Feed": _("Secret addresses of calendars; they are made anew."),
}
# Rows that speak of two clients: the copy of the practice has them, and neither client's own does.
OF_TWO: dict[str, str | Promise] = {
    "practice.Apart": _("That two records were compared and are two people: it speaks of somebody else too."),
}
# Secrets, and values that mean nothing without a key that stays here.
LEFT_OUT_COLUMNS = frozenset(
    {
        "password",
        "token_digest",
        "return_digest",
        "code_digest",
        "kiosk_digest",
        "email_index",
        "phone_index",
        "other_id_index",
        "origin_index",
        "address_index",
        "key_canary",
    }
)
# Rows that are their writer's alone until they hand them over: what must hold for them to be exported, and the reason.
THEIRS_UNTIL: dict[str, tuple[dict[str, bool], str | Promise]] = {
    "intake.Answer": (
        {"intake__submitted_at__isnull": False},
        _("Answers that the client has typed but not sent yet."),
    ),
    "kap.Intention": (
        {"shared_at__isnull": False},
        _("What the client wrote for themselves and has not shared."),
    ),
}


def our_models() -> list[type[models.Model]]:
    return [model for label in OURS for model in apps.get_app_config(label).get_models()]


def classes(model: type[models.Model]) -> dict[str, str]:
    """Return {field name: "identifying" | "clinical" | "plain"} for every concrete column of the model."""
    said = {}
    privacy = getattr(model, "Privacy", None)
    for kind in ("identifying", "clinical", "plain"):
        for name in getattr(privacy, kind, ()):
            said[name] = kind
    return said


def columns(model: type[models.Model]) -> Iterator[str]:
    return (f.name for f in model._meta.concrete_fields)


def sealed_fields(model: type[models.Model]) -> list[SealedField]:
    return [f for f in model._meta.concrete_fields if isinstance(f, SealedField)]
