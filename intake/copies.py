"""What a client may keep: the copy of a signed agreement, and their answers in words."""

from django.http import HttpResponse
from django.utils import translation
from django.utils.text import slugify
from django.utils.translation import gettext

from intake import editions, flow, packet
from intake.models import Answer, Signature
from practice import coverage, pdf
from practice.models import Practice


def download(signature: Signature) -> HttpResponse:
    """Return the copy as a file to keep. Its name says nothing of the client."""
    with translation.override(editions.load(signature.document, signature.version).language):
        response = HttpResponse(agreement_copy(signature), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="agreement-{slugify(signature.document)}.pdf"'
    return response


def agreement_copy(signature: Signature) -> bytes:
    """Return the PDF of what was signed: the exact text, who signed it as what, and when."""
    text = editions.load(signature.document, signature.version)
    practice = Practice.get()
    signed_at = coverage.local(signature.signed_at, practice)
    return pdf.render(
        "agreement",
        {
            "practice": practice.name,
            "title": text.title,
            "summary": text.summary,
            "parts": [
                {
                    "title": part.title,
                    "line": part.line,
                    "points": [
                        {"text": point.text, "ack": point.ack if point.key in signature.acknowledged else ""}
                        for point in part.points
                    ],
                }
                for part in text.parts
            ],
            "sign": text.sign,
            "name": signature.typed_name,
            "relation": str(signature.get_relation_display()),
            "signed_at": f"{signed_at:%B} {signed_at.day}, {signed_at:%Y at %H:%M %Z}",
            "version": text.version,
            "language": text.language,
            "fingerprint": signature.text_sha256,
            "same_text": signature.text_sha256 == text.sha256,
        },
    )


def in_words(answer: Answer) -> tuple[str, str]:
    """(question, answer) as they read in the version that was answered; the question's name where nobody can tell."""
    invitation = answer.intake.invitation
    try:
        page = packet.load(invitation.packet, invitation.packet_version).by_slug.get(answer.question)
    except ValueError:  # a version that is not as it was published says nothing; the row itself stays in the copy
        page = None
    if page is None:
        return answer.question, ""
    said = gettext("Skipped") if answer.skipped else "\n".join(flow.words(page, answer.value))
    return page.text, said
