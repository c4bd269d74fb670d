"""The texts of agreements in all their versions: those that came with Waymark, and those the practice published."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from intake import agreement, wording
from intake.agreement import Agreement
from intake.models import AgreementText, Intake, Signature
from intake.packet import Packet, Page
from practice.language import HOUSE
from practice.models import Client


def documents() -> list[str]:
    """The keys of all agreements, in the order in which a new client reads them."""
    return [page.agreement for page in _first_packet().pages if page.agreement]


def _first_packet() -> Packet:
    from intake.packet import seed

    return seed("agreements")


def of_row(row: AgreementText) -> Agreement:
    """A text of the practice's own as it is shown. Its fingerprint is made anew from what is kept now."""
    return Agreement(
        key=row.document,
        version=row.version,
        language=HOUSE,
        title=row.title,
        basis="",
        summary=row.summary,
        sign=row.sign,
        parts=wording.parts(row.body),
        sha256=wording.fingerprint(row.document, row.version, row.title, row.summary, row.sign, row.body),
    )


def load(key: str, version: str) -> Agreement:
    """Return one text in one version. Raises ValueError when there is none such."""
    if version in agreement.SHELF.paths.get(key, {}):
        return agreement.load(key, version)
    row = AgreementText.objects.filter(document=key, version=version).exclude(published_at=None).first()
    if row is None:
        raise ValueError(f"There is no version {version!r} of the agreement {key!r}.")
    return of_row(row)


def shipped(key: str) -> Agreement:
    """The newest version that came with Waymark."""
    return agreement.load(key, agreement.SHELF.path(key).stem.rsplit(".", 1)[1])


def own() -> dict[str, list[AgreementText]]:
    """What the practice published, by document, the newest last."""
    found: dict[str, list[AgreementText]] = {}
    rows = AgreementText.objects.exclude(published_at=None).select_related("published_by")
    for row in rows.order_by("published_at", "version"):
        found.setdefault(row.document, []).append(row)
    return found


def running(key: str) -> Agreement:
    """The text that is signed now: the practice's newest, else the one that came with Waymark."""
    row = AgreementText.objects.filter(document=key).exclude(published_at=None).order_by("-published_at").first()
    return shipped(key) if row is None else of_row(row)


def read_by(client: Client, key: str) -> Agreement:
    """The text that this client signed last; the one that is signed now where they have signed none."""
    row = client.signatures.filter(document=key).order_by("-signed_at", "-pk").first()
    try:
        return running(key) if row is None else load(row.document, row.version)
    except ValueError:  # signed in another system: its text is not here
        return running(key)


def next_version(key: str) -> str:
    """The number of the practice's next text, such as "1.2": the second of ours since their 1."""
    base = shipped(key).version
    count = AgreementText.objects.filter(document=key, version__startswith=f"{base}.").count()
    return f"{base}.{count + 1}"


def titles(rows: Iterable[Signature]) -> dict[tuple[str, str], str]:
    """The titles of what was signed, by document and version; one query, and none where all came with Waymark."""
    wanted = {(row.document, row.version) for row in rows}
    found = {
        (key, version): agreement.load(key, version).title
        for key, version in wanted
        if version in agreement.SHELF.paths.get(key, {})
    }
    if left := wanted - set(found):
        kept = AgreementText.objects.filter(document__in={key for key, _version in left}).exclude(published_at=None)
        found |= {(row.document, row.version): row.title for row in kept}
    return {pair: found.get(pair, " ".join(pair)) for pair in wanted}


def applied(wanted: Packet, sitting: Intake) -> Packet:
    """The packet with the agreements as they read now; one that was signed in this sitting reads as it was signed."""
    pages = [page for page in wanted.pages if page.agreement]
    newest = {key: rows[-1] for key, rows in own().items()} if pages else {}
    if not newest:
        return wanted
    signed = {row.document: row for row in sitting.signatures.order_by("signed_at")}
    changed: dict[str, Page] = {}
    for page in pages:
        version, title = page.version, page.text
        if page.agreement in signed:
            row = signed[page.agreement]
            version, title = row.version, titles([row])[row.document, row.version]
        elif page.agreement in newest:
            version, title = newest[page.agreement].version, newest[page.agreement].title
        changed[page.slug] = replace(page, version=version, text=title, missing=title)
    return wanted.with_pages(changed)


# --- Which signatures count ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """Which signatures of a document still count."""

    running: str
    accepted: frozenset[str]
    """Versions that need not be signed again."""
    since: AgreementText | None
    """The version that has to be signed, when there was such a one."""


def standing() -> dict[str, Standing]:
    """By document. One query."""
    published = own()
    found = {}
    for key in documents():
        accepted: set[str] = set()
        since = None
        rows = published.get(key, [])
        for row in reversed(rows):
            accepted.add(row.version)
            if row.must_sign:
                since = row
                break
        if since is None:
            accepted |= set(agreement.SHELF.paths[key])
        found[key] = Standing(rows[-1].version if rows else shipped(key).version, frozenset(accepted), since)
    return found
