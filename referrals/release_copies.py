"""The copy of a release: for the client to keep, and as the sheet to sign on while it is not signed."""

from django.http import HttpResponse
from django.utils import translation

from intake.models import Signature
from practice import coverage, pdf
from practice.models import Practice
from practice.templatetags.ui import full_day
from referrals import release_text
from referrals.models import Release


def download(release: Release) -> HttpResponse:
    """Return the copy as a file to keep. Its name says nothing of the client or the clinic."""
    with translation.override(release.language):
        response = HttpResponse(release_copy(release), content_type="application/pdf")
    response["Content-Disposition"] = 'attachment; filename="permission-to-share.pdf"'
    return response


def signed_copy(release: Release) -> bytes | None:
    """The copy of a release that was signed; None for one that was not."""
    return release_copy(release) if release.signed_at else None


def release_copy(release: Release) -> bytes:
    practice, texts = Practice.get(), release_text.texts(release)

    def said(moment: object) -> str:
        at = coverage.local(moment, practice)  # type: ignore[arg-type]
        return f"{at:%B} {at.day}, {at:%Y at %H:%M %Z}"

    signed = release.signed_at is not None
    return pdf.render(
        "release",
        {
            "practice": practice.name,
            "title": texts[0].title,
            "recipient": release.recipient,
            "client": release.client.legal_name or release.client.name,
            "born": full_day(release.client.born),
            "texts": [
                {
                    "title": text.title,
                    "basis": text.basis,
                    "summary": text.summary,
                    "sign": text.sign,
                    "parts": [
                        {"title": part.title, "line": part.line, "points": [point.text for point in part.points]}
                        for part in text.parts
                    ],
                }
                for text in texts
            ],
            "is_signed": signed,
            "name": release.typed_name,
            "relation": str(Signature.Relation(release.relation).label),
            "method": str(Release.Method(release.method).label) if release.method else "",
            "witness": release.witness.name if release.witness else "",
            "signed_at": said(release.signed_at) if signed else "",
            "revoked_at": said(release.revoked_at) if release.revoked_at else "",
            "version": release.document_version,
            "language": release.language,
            "fingerprint": release.text_sha256,
            "same_text": release.text_sha256 == release_text.fingerprint(release),
        },
    )
