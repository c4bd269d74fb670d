"""The practice's own text of an agreement: kept as a draft, put away, or published for good."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from intake import agreement, editions, wording
from intake.agreement import Agreement, Must
from intake.models import AgreementText
from intake.wording import Change
from practice import audit
from practice.actions import NotNow
from practice.models import Practice, User


@dataclass(frozen=True)
class Review:
    """What somebody has to know before a draft is published."""

    text: Agreement
    before: Agreement
    changes: list[Change]
    musts: list[tuple[Must, bool]]
    """Every element that is asked of the text, and whether it is there."""

    @property
    def missing(self) -> list[Must]:
        return [must for must, said in self.musts if not said]

    @property
    def is_ready(self) -> bool:
        return bool(self.changes) and not self.missing


def draft_of(document: str) -> AgreementText | None:
    return AgreementText.objects.filter(document=document, published_at=None).select_related("changed_by").first()


def review(draft: AgreementText, practice: Practice) -> Review:
    text, before = editions.of_row(draft), editions.running(draft.document)
    wanted = [must for must in agreement.musts(draft.document) if practice.is_part2 or not must.part2]
    lacking = wording.missing(wanted, text, part2=practice.is_part2)
    return Review(text, before, wording.changes(before, text), [(must, must not in lacking) for must in wanted])


@transaction.atomic
def keep_draft(
    *, by: User, document: str, title: str, summary: str, sign: str, body: str, edition: int, at: datetime
) -> AgreementText | None:
    """Keep the draft. None when somebody else changed it since `edition` (0: there was none)."""
    said = {"title": title, "summary": summary, "sign": sign, "body": body}
    if edition == 0:
        row, new = AgreementText.objects.get_or_create(
            document=document, published_at=None, defaults={**said, "changed_at": at, "changed_by": by}
        )
        if not new and {name: getattr(row, name) for name in said} != said:
            return None
    else:
        found = AgreementText.objects.filter(document=document, published_at=None, edition=edition)
        if not found.update(**said, changed_at=at, changed_by=by, edition=edition + 1):
            return None
        row = AgreementText.objects.get(document=document, published_at=None)
    audit.record("agreement.drafted", by=by, target=row, at=at, document=document)
    return row


@transaction.atomic
def put_away(*, by: User, document: str, at: datetime) -> None:
    """Throw the draft away. Nothing that was published is touched."""
    row = AgreementText.objects.select_for_update(no_key=True).filter(document=document, published_at=None).first()
    if row is not None:
        audit.record("agreement.put_away", by=by, target=row, at=at, document=document)
        row.delete()


@transaction.atomic
def publish(
    *, by: User, document: str, edition: int, must_sign: bool, because: str, reason: str, at: datetime
) -> AgreementText:
    """Make the draft the running text: from now on it is what is signed, and it is never changed.

    Raises NotNow when there is no such draft any more, nothing is different, or an element is missing.
    """
    row = AgreementText.objects.select_for_update(no_key=True).filter(document=document, published_at=None).first()
    if row is None or row.edition != edition:
        raise NotNow(gettext("Somebody changed or published this draft first. Look at it again."))
    found = review(row, Practice.get())
    if not found.changes:
        raise NotNow(gettext("Nothing is different from the text that is signed now."))
    if found.missing:
        raise NotNow(gettext("Something that has to be in it is missing: {what}").format(what=found.missing[0].what))
    row.version = editions.next_version(document)
    row.sha256 = wording.fingerprint(document, row.version, row.title, row.summary, row.sign, row.body)
    row.must_sign, row.because, row.reason = must_sign, because, reason
    row.published_at, row.published_by = at, by
    row.save()
    audit.record(
        "agreement.published",
        by=by,
        target=row,
        at=at,
        document=document,
        version=row.version,
        must_sign=must_sign,
        sha256=row.sha256,
    )
    return row
