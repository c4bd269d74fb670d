"""Answers that were never sent, thrown away after their time. What raised a safety flag is never among them."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from intake.models import Answer, Intake
from practice import audit
from practice.models import Alert, Erased, LegalHold
from practice.models.clients import RecordQuerySet
from practice.retention import DRAFT

AT_ONCE = 500


def old(at: datetime) -> RecordQuerySet:
    """Sittings that nobody touched for that long, whose link is dead, that no flag came of, and that no hold keeps."""
    flags = Alert.objects.filter(source_id=OuterRef("pk"))
    holds = LegalHold.objects.filter(client=OuterRef("client"), lifted_at=None)
    found: RecordQuerySet = Intake.objects.annotate(touched_at=Coalesce("saved_at", "started_at"))
    return found.filter(
        ~Exists(flags),
        ~Exists(holds),
        submitted_at=None,
        signatures=None,
        assessments=None,
        touched_at__lt=at - DRAFT,
        invitation__expires_at__lt=at,
    )


def forget(*, at: datetime) -> int:
    """Delete them with their answers, each with a line in the ledger. Returns how many."""
    found = list(old(at).values_list("pk", "client_id")[:AT_ONCE])
    for pk, client_id in found:
        with transaction.atomic():
            if old(at).holding().filter(pk=pk).first() is None:
                continue  # they went on with it just now
            rows, _kinds = Answer.objects.filter(intake=pk).delete()
            Intake.objects.filter(pk=pk).delete()
            ledger = Erased.objects.create(
                what=Erased.What.DRAFT, ref=pk, why=Erased.Why.AGE, at=at, by=None, rows=rows + 1
            )
            audit.record("draft.erased", by=None, client=client_id, target=ledger, at=at, rows=rows + 1)
    return len(found)
