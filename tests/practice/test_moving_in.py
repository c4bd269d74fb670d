"""Export, wipe, import, export: the same files apart from times. And what is not whole is not taken in."""

import hashlib
import io
import json
import shutil
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from intake.models import Invitation, PacketVersion, Pause
from practice import alike, audit, audit_triggers, erasure, exports, frozen_triggers, jobs, merging, sealed, unpacking
from practice.access import Role
from practice.kap.demo import story
from practice.kap.models import DoseClearance, Intention, Session, Withdrawal
from practice.keys import KeyRing
from practice.models import (
    Alert,
    Apart,
    AuditEvent,
    Client,
    ClinicalSignature,
    Erased,
    ErasureRequest,
    Export,
    Handover,
    Job,
    LegalHold,
    NameStart,
    Notice,
    Practice,
    PsychotherapyNote,
    Site,
    User,
)
from practice.privacy import our_models
from referrals.models import Addendum, ClinicianFact, Decision, Referral
from tests import factories
from tests.factories import NOW
from tests.meta import matrix

pytestmark = pytest.mark.django_db
TIMES = ("begun_at", "ended_at")  # what may differ between two exports of the same rows, and only in the manifest


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path / "data")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The export of the whole demo practice, made once."""
    place = tmp_path_factory.mktemp("demo") / "out"
    with django_db_blocker.unblock(), transaction.atomic():
        story.tell(NOW)
        call_command("export_practice", to=place, psychotherapy_notes=True, stdout=io.StringIO())
        transaction.set_rollback(True)
    yield place


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The export of a practice of one, to damage."""
    place = tmp_path / "small"
    with transaction.atomic():
        factories.practice()
        factories.always_on_call(factories.staff("Rosa Bell", Role.ADMIN, sites=(factories.site("North"),)))
        exported(place)
        transaction.set_rollback(True)
    return place


def exported(place: Path, **options: Any) -> Path:
    call_command("export_practice", to=place, stdout=io.StringIO(), **options)
    return place


def taken(place: Path, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_practice", place, stdout=out, **options)
    return out.getvalue()


def refusal(place: Path) -> str:
    """The sentence of a refusal, after which nothing is there."""
    before = held()
    with pytest.raises(CommandError) as trouble:
        taken(place)
    assert held() == before
    assert str(trouble.value).endswith(unpacking.UNTOUCHED)
    return str(trouble.value).removesuffix(unpacking.UNTOUCHED).strip()


def held() -> dict[str, int]:
    return {m._meta.label: n for m in our_models() if (n := m._base_manager.count()) and m is not Practice}


def files(place: Path) -> dict[str, bytes]:
    """Every file by its path; of the manifest, what is no time."""
    found = {str(f.relative_to(place)): f.read_bytes() for f in place.rglob("*") if f.is_file()}
    manifest = json.loads(found["manifest.json"])
    assert [len(manifest.pop(name)) > 18 for name in TIMES] == [True, True]
    return found | {"manifest.json": json.dumps(manifest).encode()}


def zipped(place: Path, to: Path) -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(place.rglob("*")):
            if file.is_file():
                out.write(file, file.relative_to(place).as_posix())
    return to


def change_manifest(place: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = place / "manifest.json"
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


def change_rows(place: Path, table: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change rows and make the manifest agree: what somebody would do who knows how it is made."""
    path = f"json/{table}-0001.json"
    rows = json.loads((place / path).read_text())
    change(rows)
    write(place, path, json.dumps(rows).encode())
    change_manifest(place, lambda said: said["rows"].__setitem__(table, len(rows)))


def write(place: Path, path: str, body: bytes) -> None:
    (place / path).parent.mkdir(parents=True, exist_ok=True)
    (place / path).write_bytes(body)
    entry = {"path": path, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    change_manifest(
        place, lambda said: said.__setitem__("files", [*(f for f in said["files"] if f["path"] != path), entry])
    )


# --- There and back --------------------------------------------------------------------------------------------------


def test_export_wipe_import_export_gives_the_same_files_apart_from_times(demo: Path, tmp_path: Path) -> None:
    """Feature N5, and the last line of the issue: everything a practice keeps survives a move, byte for byte."""
    assert held() == {}
    said = taken(demo)
    again = files(exported(tmp_path / "again", psychotherapy_notes=True))
    before = files(demo)
    assert sorted(again) == sorted(before)
    assert [path for path in before if again[path] != before[path]] == []
    assert len(before) > 300
    assert PsychotherapyNote.objects.count() == 1
    assert "NOT in this export" not in said


def test_one_of_everything_comes_back_as_it_was(
    demo: Path, maya: User, rosa: User, pax: User, sam: Client, tmp_path: Path
) -> None:
    """With the demonstration, every table of an export is compared with something in it."""
    matrix.build({"own": maya, "admin": rosa, "prescriber": pax}, sam)
    rarely_there(maya, sam)
    before = files(exported(tmp_path / "before", psychotherapy_notes=True))
    empty_all()
    taken(tmp_path / "before")
    again = files(exported(tmp_path / "again", psychotherapy_notes=True))
    assert [path for path in before.keys() | again.keys() if again.get(path) != before.get(path)] == []
    counts = [json.loads((place / "manifest.json").read_text())["rows"] for place in (demo, tmp_path / "before")]
    assert [table for table in counts[0] if not counts[0][table] + counts[1][table]] == []


def rarely_there(maya: User, sam: Client) -> None:
    """A row of each table that neither the demonstration nor the matrix fills."""
    Erased.objects.create(what=Erased.What.CLIENT, ref=uuid.uuid4(), why=Erased.Why.AGE, at=NOW, rows=3)
    Handover.objects.create(client=sam, role="therapist", to=maya, at=NOW, words="Moved house")
    LegalHold.objects.create(client=sam, placed_at=NOW, placed_by=maya, words="A court asks")
    ErasureRequest.objects.create(client=sam, asked_at=NOW, asked_by=maya, words="Please")
    ClinicalSignature.objects.create(part="rules", version="1", by=maya, at=NOW, words="Read")
    Addendum.objects.create(decision=Decision.objects.all()[0], words="Later", by=maya, at=NOW)
    ClinicianFact.objects.create(client=sam, input="age", value={"a": [1]}, on=NOW.date(), by=maya, at=NOW)
    Withdrawal.objects.create(clearance=DoseClearance.objects.all()[0], words="No longer", by=maya, at=NOW)
    Pause.objects.create(client=sam, at=NOW, ended_at=NOW, ended_by=maya, words="A holiday")
    PacketVersion.objects.create(
        key="moved", version="moved-1", number=1, rows=[], sha256="0" * 64, reason="Ours", published_by=maya,
        published_at=NOW,
    )  # fmt: skip
    session = Session.objects.filter(plan__client=sam)[0]
    Intention.objects.create(client=sam, session=session, when="before", words="Rest", shared_at=NOW, saved_at=NOW)


def test_two_people_whom_somebody_told_apart_stay_so(sam: Client, rosa: User, omar: User, tmp_path: Path) -> None:
    """A named person's word on two records is kept: nobody compares them again, and it goes with either."""
    sister = factories.client(omar, "Sally Whitehorse", email="", phone=sam.phone)
    assert len(alike.likely(rosa)) == 1
    merging.keep_apart(by=rosa, one=sam, other=sister, words="Sisters who share a phone.", at=NOW)
    place = exported(tmp_path / "before")
    empty_all()
    taken(place)
    row = Apart.objects.standing().get()
    assert (alike.likely(row.by), row.words, row.by.name, {row.client_id, row.other_id}) == (
        [], "Sisters who share a phone.", "Rosa Bell", {sam.pk, sister.pk},
    )  # fmt: skip
    erasure.erase(by=row.by, client=sister, what=Erased.What.CLIENT, why=Erased.Why.AGE, at=NOW)
    assert (Apart.objects.count(), Client.objects.filter(pk=sam.pk).exists()) == (0, True)


def test_import_tells_nobody_and_wakes_no_job(demo: Path) -> None:
    said = taken(demo)
    assert (Notice.objects.count(), Job.objects.count(), mail.outbox) == (0, 0, [])
    assert f"{Alert.objects.filter(closed_at=None).count()} safety alerts are open" in said
    event = AuditEvent.objects.get()
    assert (event.action, event.actor_kind, event.facts["sha256"]) == (
        "practice.taken_in", "system", hashlib.sha256((demo / "manifest.json").read_bytes()).hexdigest(),
    )  # fmt: skip
    assert list(audit.faults()) == []


def test_what_is_secret_is_made_anew_and_opens_nothing(demo: Path) -> None:
    said = taken(demo)
    assert [user for user in User.objects.all() if user.has_usable_password()] == []
    digests = list(Invitation.objects.values_list("token_digest", flat=True))
    assert {each[0] for each in digests} == {"x"}
    assert len(set(digests)) == len(digests)
    assert set(Referral.objects.values_list("token_digest", flat=True)) == {""}
    rosa = User.objects.with_role(Role.ADMIN).get()
    assert f"{rosa.name} can set a password within 72 hours" in said
    assert "/account/password/reset/key/" in said


def test_people_are_found_by_name_and_address_under_the_keys_here(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed columns are sealed anew: nothing in the bundle needs the keys it came from."""
    monkeypatch.setattr(settings, "KEY_RING", new_ring())
    taken(demo)
    client = Client.objects.exclude(status=Client.Status.RESTRICTED).order_by("number")[0]
    assert client in Client.objects.named(client.name.split()[0])
    assert client.email_index == (sealed.blind("email", client.email) if client.email else "")
    assert NameStart.objects.values("client").distinct().count() == Client.objects.count()


def new_ring() -> KeyRing:
    ring = KeyRing({})
    for purpose in ("seal", "index", "audit", "link", "django"):
        ring = ring.with_new(purpose)
    return ring


def test_numbers_go_on_after_those_that_came_in(demo: Path) -> None:
    taken(demo)
    last = Site.objects.order_by("-pk")[0].pk
    assert Site.objects.create(name="West").pk > last


def test_trial_keeps_nothing_and_says_the_same(demo: Path) -> None:
    said = taken(demo, dry_run=True)
    rows = sum(json.loads((demo / "manifest.json").read_text())["rows"].values())
    assert (held(), f"All of it fits: {rows} rows" in said) == ({}, True)
    assert f"Took in {rows} rows" in taken(demo)


def test_file_from_the_page_is_taken_in_too(small: Path, tmp_path: Path) -> None:
    """The button Copy of everything gives a zip; the command takes it as it is."""
    with transaction.atomic():
        factories.practice()
        rosa = factories.staff("Rosa Bell", Role.ADMIN, sites=(factories.site("North"),))
        exports.begin(by=rosa, client=None, at=timezone.now())
        jobs.run_due()
        (tmp_path / "copy.zip").write_bytes(b"".join(exports.zipped(Export.objects.get())))
        transaction.set_rollback(True)
    assert "Took in" in taken(tmp_path / "copy.zip")
    assert User.objects.get().name == "Rosa Bell"


def test_notes_of_psychotherapy_stay_behind_unless_asked_for(maya: User, sam: Client, tmp_path: Path) -> None:
    """45 CFR 164.501: they are their writer's; who moves a practice is told how many stay."""
    note = PsychotherapyNote(client=sam, by=maya, at=NOW)
    note.body = "Zyxprivate"
    note.save()
    usual = exported(tmp_path / "usual")
    assert [path for path, body in files(usual).items() if b"Zyxprivate" in body] == []
    asked = exported(tmp_path / "asked", psychotherapy_notes=True)
    assert sorted(path for path, body in files(asked).items() if b"Zyxprivate" in body) == [
        "csv/practice-psychotherapynote-0001.csv", "json/practice-psychotherapynote-0001.json",
    ]  # fmt: skip
    assert AuditEvent.objects.filter(action="export.written").order_by("seq").last().facts["psychotherapy_notes"]  # type: ignore[union-attr]
    empty_all()
    assert "1 psychotherapy notes are NOT in this export" in taken(usual)


def empty_all() -> None:
    """Wipe the practice inside this test's transaction."""
    frozen_triggers.drop(connection)
    with connection.cursor() as cursor:
        audit_triggers.drop(connection.vendor, cursor)
    for _round in range(len(our_models())):
        for model in our_models():
            model._base_manager.all()._raw_delete(connection.alias)
    with connection.cursor() as cursor:
        audit_triggers.install(connection.vendor, cursor)
        through = User.sites.through
        through._base_manager.all()._raw_delete(connection.alias)
    frozen_triggers.install(connection)


def test_client_deleted_here_is_deleted_again(sam: Client, rosa: User, own_folder: Path, tmp_path: Path) -> None:
    """Security check 13: a deletion outlives an older export as it outlives an older backup."""
    place = exported(tmp_path / "old")
    erasure.erase(by=rosa, client=sam, what=Erased.What.CLIENT, why=Erased.Why.AGE, at=NOW)
    erasure.write_journal(own_folder)
    empty_all()
    assert "1 records were deleted here before and were deleted again" in taken(place)
    assert (Client.objects.count(), Erased.objects.get().ref) == (0, sam.pk)


def test_journal_of_another_practice_stops_it(small: Path, own_folder: Path) -> None:
    (own_folder / erasure.JOURNAL).write_text("2026-01-01T00:00:00+00:00 record 0 nonsense\n")
    assert "was not written by this practice" in refusal(small)


# --- Where it may go -------------------------------------------------------------------------------------------------


def test_it_goes_into_an_empty_installation_only(small: Path) -> None:
    taken(small)
    assert refusal(small).startswith("This installation is not empty (1 rows of practice-user).")


def test_one_row_of_anything_is_enough_to_refuse(small: Path) -> None:
    Site.objects.create(name="Already here")
    assert refusal(small).startswith("This installation is not empty (1 rows of practice-site).")


def test_nowhere_and_nothing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.zip") == "There is no folder or file none.zip."
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty") == "There is no manifest.json: this is no export of Waymark."
    (tmp_path / "words.zip").write_text("not a zip")
    assert refusal(tmp_path / "words.zip") == "words.zip is neither a folder nor a zip that opens."


# --- What is not whole -----------------------------------------------------------------------------------------------


def longer(place: Path) -> None:
    with (place / "csv/practice-user-0001.csv").open("ab") as file:
        file.write(b"x")


def flip(place: Path) -> None:
    """One letter of a name, and the length as it was."""
    file = place / "json/practice-user-0001.json"
    file.write_bytes(file.read_bytes().replace(b"Rosa Bell", b"Rosa Hell"))


def swap_digest(place: Path) -> None:
    change_manifest(place, lambda said: said["files"][0].update(sha256="0" * 64))


def one_more_row(place: Path) -> None:
    change_manifest(place, lambda said: said["rows"].__setitem__("practice-user", 2))


def one_less_row(place: Path) -> None:
    change_manifest(place, lambda said: said["rows"].__setitem__("practice-user", 0))


def gap_in_parts(place: Path) -> None:
    write(place, "json/practice-user-0003.json", b"[\n]\n")


def link_outside(place: Path) -> None:
    (place / "files").mkdir()
    (place / "files/link").symlink_to("/etc/passwd")


FIRST = "json/practice-user-0001.json"
DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no manifest": (
        lambda place: (place / "manifest.json").unlink(),
        "There is no manifest.json: this is no export of Waymark.",
    ),
    "manifest cut": (
        lambda place: (place / "manifest.json").write_bytes((place / "manifest.json").read_bytes()[:-20]),
        "manifest.json cannot be read.",
    ),
    "manifest no object": (
        lambda place: (place / "manifest.json").write_text("[]"),
        "This is no export of Waymark.",
    ),
    "manifest deep": (
        lambda place: (place / "manifest.json").write_text("[" * 100_000),
        "manifest.json cannot be read.",
    ),
    "foreign": (
        lambda place: change_manifest(place, lambda said: said.update(format="other-export")),
        "This is no export of Waymark.",
    ),
    "newer": (
        lambda place: change_manifest(place, lambda said: said.update(version=2)),
        "This was written by a newer Waymark: install that first.",
    ),
    "version in words": (
        lambda place: change_manifest(place, lambda said: said.update(version="1")),
        "This was written by a newer Waymark: install that first.",
    ),
    "a client's": (
        lambda place: change_manifest(place, lambda said: said.update(of="CH-0401")),
        "This is the copy of one client's record. Only the copy of a whole practice is taken in.",
    ),
    "no rows": (
        lambda place: change_manifest(place, lambda said: said.pop("rows")),
        "manifest.json does not say what it should.",
    ),
    "rows below none": (
        lambda place: change_manifest(place, lambda said: said["rows"].__setitem__("practice-user", -1)),
        "manifest.json does not say what it should.",
    ),
    "file missing": (
        lambda place: (place / FIRST).unlink(),
        "json/practice-user-0001.json is missing; 1 of 12 files are.",
    ),
    "file more": (
        lambda place: (place / "csv/notes.csv").write_text("mine"),
        "There is a file that the manifest does not list: 'csv/notes.csv'.",
    ),
    "file longer": (longer, "csv/practice-user-0001.csv is not as long as the manifest says."),
    "letter changed": (flip, f"{FIRST} is not what the manifest says: it was changed or damaged."),
    "digest changed": (
        swap_digest,
        "json/practice-user-0001.json is not what the manifest says: it was changed or damaged.",
    ),
    "one row more": (one_more_row, "The manifest says 2 rows of practice-user, there are 1."),
    "one row less": (one_less_row, "The manifest says 0 rows of practice-user, there are 1."),
    "gap": (gap_in_parts, "A part of the table practice-user is missing."),
    "way out": (
        lambda place: change_manifest(place, lambda said: said["files"][0].update(path="../../etc/passwd")),
        "manifest.json names a file that no export of Waymark has.",
    ),
    "way out below files": (
        lambda place: change_manifest(place, lambda said: said["files"][0].update(path="files/practice-user/..")),
        "manifest.json names a file that no export of Waymark has.",
    ),
    "from the root": (
        lambda place: change_manifest(place, lambda said: said["files"][0].update(path="/etc/passwd")),
        "manifest.json names a file that no export of Waymark has.",
    ),
    "listed twice": (
        lambda place: change_manifest(place, lambda said: said["files"].append(said["files"][0])),
        "manifest.json lists a file twice.",
    ),
    "too large": (
        lambda place: change_manifest(place, lambda said: said["files"][0].update(bytes=unpacking.LARGEST + 1)),
        "is larger than any file that Waymark writes.",
    ),
    "link": (link_outside, "files/link is no plain file."),
    "table of tomorrow": (
        lambda place: write(place, "json/practice-robot-0001.json", b"[\n]\n"),
        "json/practice-robot-0001.json belongs to no table of the manifest.",
    ),
    "table of tomorrow, counted": (
        lambda place: change_manifest(place, lambda said: said["rows"].__setitem__("practice-robot", 0)),
        "This Waymark has no table practice-robot: install the newer one that wrote this export.",
    ),
    "the trail": (
        lambda place: change_manifest(place, lambda said: said["rows"].__setitem__("practice-auditevent", 0)),
        "This Waymark has no table practice-auditevent: install the newer one that wrote this export.",
    ),
    "not JSON": (lambda place: write(place, FIRST, b"[{"), f"{FIRST} is not JSON."),
    "not a number": (lambda place: write(place, FIRST, b'[{"id":NaN}]'), f"{FIRST} is not JSON."),
    "not a list": (lambda place: write(place, FIRST, b'{"a":1}'), f"{FIRST} is not a list of rows."),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_not_whole_is_refused_before_anything_is_touched(small: Path, name: str) -> None:
    damage, sentence = DAMAGES[name]
    damage(small)
    assert refusal(small).removeprefix("json/practice-site-0001.json ").endswith(sentence)


def put(**fields: Any) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda rows: rows[0].update(fields)


MISFITS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], Any], str]] = {
    "column of tomorrow": ("practice-user", put(robot=1), "has no column 'robot' in practice-user"),
    "no name": ("practice-user", lambda rows: rows[0].pop("name"), "A row of practice-user has no name."),
    "name too long": ("practice-user", put(name="x" * 81), "name is longer than 80 signs"),
    "name a number": ("practice-user", put(name=7), "name is no str"),
    "yes for true": ("practice-user", put(is_active="true"), "is_active is no bool"),
    "true for one": ("practice-coverageshift", put(weekday=True), "weekday is no int"),
    "id of words": ("practice-user", put(id="rosa"), "“rosa” is not a valid UUID"),
    "empty where it may not be": ("practice-user", put(name=None), "name is empty"),
    "moment without a zone": ("practice-user", put(last_login="2026-01-01T10:00:00"), "last_login has no time zone"),
    "no moment": ("practice-user", put(last_login="yesterday"), "value has an invalid format"),
    "row twice": ("practice-user", lambda rows: rows.append(rows[0]), "does not fit its table"),
    "user of nobody": ("practice-rolegrant", put(user="00000000-0000-4000-8000-000000000000"), "do not fit together"),
    "site of nobody": ("practice-user", put(sites=[99]), "do not fit together"),
    "a day that is none": ("practice-coverageshift", put(weekday=9), "does not fit its table"),
    "sign that no text has": ("practice-user", put(name="a\x00b"), "does not fit its table"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", MISFITS)
def test_row_that_does_not_fit_takes_everything_back(small: Path, name: str) -> None:
    """Somebody changed a row and made the manifest agree: the database has the last word, and all goes or nothing."""
    table, change, sentence = MISFITS[name]
    change_rows(small, table, change)
    assert sentence in refusal(small)


def test_secret_in_a_row_is_left_where_it_is(small: Path) -> None:
    """An export of ours has no password; one that was put in sets none."""
    change_rows(small, "practice-user", put(password="md5$$5f4dcc3b5aa765d61d8327deb882cf99"))
    taken(small)
    assert not User.objects.get().has_usable_password()


def test_stored_file_comes_from_its_own_table_only(demo: Path, tmp_path: Path) -> None:
    place = tmp_path / "copy"
    shutil.copytree(demo, place)
    change_rows(place, "referrals-letter", put(body="files/referrals-packet/else.pdf"))
    assert refusal(place) == "A file of referrals-letter is missing."


def test_file_that_no_row_names_is_refused(small: Path) -> None:
    write(small, "files/referrals-letter/0-body.pdf", b"%PDF-")
    assert refusal(small) == "files/referrals-letter/0-body.pdf belongs to no row."


# --- Zips ------------------------------------------------------------------------------------------------------------


def test_zip_is_read_where_it_lies(small: Path, tmp_path: Path) -> None:
    place = zipped(small, tmp_path / "small.zip")
    there = sorted(tmp_path.rglob("*"))
    taken(place)
    assert sorted(tmp_path.rglob("*")) == there


def test_zip_with_a_way_out_is_refused(small: Path, tmp_path: Path) -> None:
    place = zipped(small, tmp_path / "small.zip")
    with zipfile.ZipFile(place, "a") as out:
        out.writestr("../../outside.json", "x")
    assert refusal(place) == "There is a file that the manifest does not list: '../../outside.json'."
    assert not (tmp_path.parent / "outside.json").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_a_file_twice_is_refused(small: Path, tmp_path: Path) -> None:
    place = zipped(small, tmp_path / "small.zip")
    with zipfile.ZipFile(place, "a") as out:
        out.writestr(FIRST, "[]")
    assert refusal(place) == f"{FIRST} is in the file twice."


def test_bomb_is_not_unpacked(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that would be a gigabyte are refused by what they say of themselves."""
    (small / FIRST).unlink()
    place = zipped(small, tmp_path / "small.zip")
    with zipfile.ZipFile(place, "a", zipfile.ZIP_DEFLATED) as out:
        out.writestr(FIRST, b" " * (1 << 22))
    assert refusal(place) == f"{FIRST} is not as long as the manifest says."
    monkeypatch.setattr(unpacking, "LONGEST_MANIFEST", (small / "manifest.json").stat().st_size)
    assert refusal(place) == f"{FIRST} is not as long as the manifest says."
    monkeypatch.setattr(unpacking, "LONGEST_MANIFEST", (small / "manifest.json").stat().st_size - 1)
    assert refusal(place) == "manifest.json is longer than any that Waymark writes."


def test_zip_that_lies_about_a_length_is_refused(small: Path, tmp_path: Path) -> None:
    """The directory of the zip says what the manifest says, and the stream holds more."""
    place = zipped(small, tmp_path / "small.zip")
    body = place.read_bytes()
    with zipfile.ZipFile(place) as read:
        info = read.getinfo("README.txt")
    broken = bytearray(body)
    broken[info.header_offset + 30 + len("README.txt") + 4] ^= 0xFF  # a byte of the compressed text
    place.write_bytes(bytes(broken))
    assert refusal(place) in (
        "README.txt is damaged or cannot be read.",
        "README.txt is not what the manifest says: it was changed or damaged.",
    )


def test_cut_zip_is_refused(small: Path, tmp_path: Path) -> None:
    place = zipped(small, tmp_path / "small.zip")
    place.write_bytes(place.read_bytes()[:-60])
    assert refusal(place) == "small.zip is neither a folder nor a zip that opens."


# --- Two at once -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_at_once_take_it_in_once(small: Path) -> None:
    said: list[str] = []
    gate = threading.Barrier(2)

    def one() -> None:
        gate.wait()
        try:
            said.append(taken(small).split(" ")[0])
        except CommandError as trouble:
            said.append(str(trouble).split(" ")[0])
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["This", "Took"]
    assert (User.objects.count(), AuditEvent.objects.filter(action="practice.taken_in").count()) == (1, 1)
