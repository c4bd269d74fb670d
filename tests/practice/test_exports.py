"""A copy of one client's record, and of the whole practice: what is in it, what never is, and who gets it."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from practice import actions, exports, jobs, record
from practice.models import AuditEvent, Client, ClientRecord, Export, Job, Note, Notice, PsychotherapyNote, User
from practice.privacy import LEFT_OUT, LEFT_OUT_COLUMNS, OF_TWO, THEIRS_UNTIL, our_models
from practice.sealed import Tampered
from tests.factories import NOW
from tests.meta import matrix

CANARY = "Zyxprivate"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)


@pytest.fixture
def full(maya: User, omar: User, rosa: User, pax: User, sam: Client, kit: Client) -> Client:
    """Sam with one of everything, and Kit who is somebody else's."""
    matrix.build({"own": maya, "admin": rosa, "prescriber": pax}, sam)
    Export.objects.all().delete()
    private = PsychotherapyNote(client=sam, by=maya, at=NOW)
    private.body = f"{CANARY} said in the session"
    private.save()
    note = Note(client=kit, by=omar, at=NOW)
    note.body = "Zyxkit words"
    note.save()
    return sam


def made(by: User, client: Client | None) -> Export:
    exports.begin(by=by, client=client, at=timezone.now())
    jobs.run_due()
    return Export.objects.get()


def opened(export: Export) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(b"".join(exports.zipped(export)))) as bundle:
        assert bundle.testzip() is None
        return {name: bundle.read(name) for name in bundle.namelist()}


def rows(files: dict[str, bytes], table: str) -> list[dict[str, Any]]:
    parts = sorted(name for name in files if name.startswith(f"json/{table}-0"))
    return [row for name in parts for row in json.loads(files[name])]


def test_client_export_holds_every_row_of_the_record(full: Client, maya: User) -> None:
    """Security check 52: all designated-record data, machine readable."""
    files = opened(made(maya, full))
    stored = {}
    for model in our_models():
        if issubclass(model, Client | ClientRecord) and model._meta.label not in {**LEFT_OUT, **OF_TWO}:
            path = model.client_path if issubclass(model, ClientRecord) else "pk"
            shown = THEIRS_UNTIL[model._meta.label][0] if model._meta.label in THEIRS_UNTIL else {}
            keys = model._base_manager.filter(**{path: full.pk}, **shown).values_list("pk", flat=True)
            stored[model._meta.label_lower.replace(".", "-")] = sorted(map(str, keys))
    told = {table: sorted(row["id"] for row in rows(files, table)) for table in stored}
    assert told == stored
    assert sum(map(len, stored.values())) > 25
    (me,) = rows(files, "practice-client")
    assert (me["legal_name"], me["birth_date"], me["therapist_name"]) == (
        "Sam Whitehorse", "1993-03-08", "Maya Torres",
    )  # fmt: skip
    assert [row["body"] for row in rows(files, "practice-note")] == ["Note words"]


def test_psychotherapy_notes_and_other_people_are_in_no_byte_of_it(full: Client, maya: User) -> None:
    """Security checks 8 and 52; 45 CFR 164.501."""
    files = opened(made(maya, full))
    for name, body in files.items():
        assert [word for word in (CANARY, "Private thought", "Zyxkit", "Kit Larkspur") if word.encode() in body] == []
        assert "Whitehorse" not in name
    assert PsychotherapyNote.objects.visible_to(maya).filter(client=full).count() == 2


def test_manifest_names_every_file_with_its_digest(full: Client, maya: User) -> None:
    files = opened(made(maya, full))
    manifest = json.loads(files.pop("manifest.json"))
    assert {f["path"]: (f["bytes"], f["sha256"]) for f in manifest["files"]} == {
        name: (len(body), hashlib.sha256(body).hexdigest()) for name, body in files.items()
    }
    assert manifest["rows"] == {kind.name: len(rows(files, kind.name)) for kind in record.kinds(of_client=True)}
    assert [(out["table"], out.get("rows")) for out in manifest["left_out"]] == [
        ("practice-psychotherapynote", None), ("practice-apart", None), ("intake-answer", None),
        ("kap-intention", None),
    ]  # fmt: skip


def test_sheets_and_lists_say_the_same(full: Client, maya: User) -> None:
    full.allergies = '=HYPERLINK("http://x.example","y")'
    full.save()
    files = opened(made(maya, full))
    read = list(csv.DictReader(io.StringIO(files["csv/practice-client-0001.csv"].decode("utf-8-sig"))))
    (me,) = rows(files, "practice-client")
    assert read[0]["allergies"] == f"'{full.allergies}"
    assert me["allergies"] == full.allergies
    assert list(read[0]) == list(me)
    words = list(csv.DictReader(io.StringIO(files["columns.csv"].decode("utf-8-sig"))))
    assert {word["column"] for word in words if word["table"] == "practice-client"} == set(me)


def test_documents_and_attachments_are_files_of_it(full: Client, maya: User) -> None:
    files = opened(made(maya, full))
    kept = sorted(name.split("/")[1] for name in files if name.startswith("files/"))
    assert kept == [
        "intake-medicinepage", "intake-signature", "practice-safetyplan", "referrals-letter", "referrals-packet",
        "referrals-release",
    ]  # fmt: skip
    (letter,) = rows(files, "referrals-letter")
    assert files[letter["body"]] == b"%PDF-"


def test_words_the_client_keeps_to_themselves_stay_out(full: Client, maya: User) -> None:
    from intake.models import Answer, Intake, Invitation
    from practice.kap.models import Intention, Session

    unsent = Intake.objects.create(
        client=full, invitation=Invitation.objects.get(client=full, packet="check-in", intake=None), started_at=NOW
    )
    answer = Answer(intake=unsent, question="phq-9/9", at=NOW)
    answer.value = "Zyxdraft"
    answer.save()
    own = Intention(client=full, session=Session.objects.filter(plan__client=full).first(), when="before", saved_at=NOW)
    own.words = "Zyxown"
    own.save()
    files = opened(made(maya, full))
    assert (rows(files, "intake-answer"), rows(files, "kap-intention")) == ([], [])
    Intention.objects.update(shared_at=NOW)
    Export.objects.all().delete()
    assert [row["words"] for row in rows(opened(made(maya, full)), "kap-intention")] == ["Zyxown"]


@pytest.mark.parametrize("model", our_models(), ids=lambda m: m._meta.label)
def test_every_table_is_exported_or_left_out_with_a_reason(model: type[models.Model]) -> None:
    told = {kind.label for kind in record.kinds(of_client=False)}
    assert (model._meta.label in told) != (model._meta.label in LEFT_OUT)
    if model._meta.label in LEFT_OUT:
        assert str(LEFT_OUT[model._meta.label]).endswith(".")


def test_what_speaks_of_two_clients_is_in_the_copy_of_the_practice_alone() -> None:
    """A row that names two clients is exported whole or not at all: one client's copy would tell of the other."""
    of_client = {kind.label for kind in record.kinds(of_client=True)}
    of_practice = {kind.label for kind in record.kinds(of_client=False)}
    assert of_practice - {m._meta.label for m in our_models() if not issubclass(m, Client | ClientRecord)} == {
        *of_client,
        *OF_TWO,
    }
    assert [label for label, why in OF_TWO.items() if label in of_client or not str(why).endswith(".")] == []


def test_no_secret_leaves() -> None:
    """A column named like a secret is left out, or is known to be none."""
    none = {"inputs_digest", "wording_sha256", "text_sha256", "sha256", "pdf_sha256", "file_sha256", "key"}
    suspicious = ("digest", "password", "token", "secret", "_index", "sha256", "key_canary", "key", "pin")
    found = {
        f"{kind.label}.{column.name}"
        for kind in record.kinds(of_client=False)
        for column in kind.columns
        if column.name.endswith(suspicious) and column.name not in none and not column.is_relation
    }
    assert found == set()
    assert {"password", "token_digest", "code_digest"} <= LEFT_OUT_COLUMNS


def test_practice_export_holds_every_table(full: Client, rosa: User) -> None:
    files = opened(made(rosa, None))
    counted = {kind.name: kind.rows().count() for kind in record.kinds(of_client=False)}
    assert {kind.name: len(rows(files, kind.name)) for kind in record.kinds(of_client=False)} == counted
    manifest = json.loads(files["manifest.json"])
    assert manifest["rows"] == counted
    private = next(out for out in manifest["left_out"] if out["table"] == "practice-psychotherapynote")
    assert private["rows"] == 2
    assert [name for name, body in files.items() if CANARY.encode() in body or b"Private thought" in body] == []
    users = rows(files, "practice-user")
    assert {"password"} & set(users[0]) == set()
    assert [u["sites"] for u in users if u["name"] == "Rosa Bell"] == [[rosa.sites.get().pk]]


def test_export_is_refused_when_the_right_was_lost_before_it_ran(full: Client, maya: User, omar: User) -> None:
    """Security check 16: asked for by A, who loses the client before the job runs."""
    export = exports.begin(by=maya, client=full, at=NOW)
    Client.objects.filter(pk=full.pk).update(therapist=omar)
    jobs.run_due()
    export.refresh_from_db()
    assert (export.state, export.stopped_why, export.files.count()) == ("stopped", "right_lost", 0)
    assert not exports.folder(export).exists()
    assert AuditEvent.objects.get(action="export.stopped").outcome == "refused"
    assert not Notice.objects.filter(template="export_ready").exists()


def test_practice_export_stops_between_two_slices_when_an_admin_leaves(full: Client, rosa: User) -> None:
    """Security check 16, in the middle of it."""
    export = exports.begin(by=rosa, client=None, at=NOW)
    finish = exports.make_slice(export, at=NOW, seconds=0)
    assert finish is not None
    finish()
    export.refresh_from_db()
    assert export.state == "making" and export.kinds_done > 0 and export.files.count() > 0
    User.objects.filter(pk=rosa.pk).update(is_active=False)
    jobs.run_due()
    export.refresh_from_db()
    assert (export.state, export.files.count()) == ("stopped", 0)


def test_slices_make_the_same_files_as_one_go(full: Client, rosa: User) -> None:
    whole = opened(made(rosa, None))
    Export.objects.all().delete()
    export = exports.begin(by=rosa, client=None, at=NOW)
    for _slice in range(export.kinds_all):
        finish = exports.make_slice(export, at=NOW, seconds=0)
        assert finish is not None
        finish()
        export.refresh_from_db()
    assert export.state == "ready"
    sliced = opened(export)
    assert list(sliced) == list(whole)
    times = ("manifest.json", *(name for name in whole if name.endswith(".pdf")))  # they say when they were made
    for name in times:
        sliced.pop(name), whole.pop(name)
    assert sliced == whole


def test_files_on_disk_are_sealed_and_belong_to_their_place(full: Client, maya: User) -> None:
    export = made(maya, full)
    lying = sorted(exports.folder(export).iterdir(), key=lambda file: int(file.name))
    assert len(lying) == export.files.count()
    assert [file.name for file in lying if b"Whitehorse" in file.read_bytes() or file.stat().st_mode & 0o077] == []
    first, second = lying[0].read_bytes(), lying[1].read_bytes()
    lying[0].write_bytes(second)
    lying[1].write_bytes(first)
    with pytest.raises(Tampered):
        b"".join(exports.zipped(export))


def test_ready_copy_is_told_and_deleted_after_a_week(full: Client, maya: User) -> None:
    export = made(maya, full)
    assert [m.subject for m in mail.outbox if m.to == [maya.email]][-1] == "Your copy is ready"
    assert exports.throw_away(timezone.now() + timedelta(days=6)) == 0
    assert exports.throw_away(timezone.now() + timedelta(days=8)) == 1
    export.refresh_from_db()
    assert (export.state, exports.is_there(export), exports.folder(export).exists()) == ("gone", False, False)


def test_copy_that_never_came_is_stopped_after_a_day(full: Client, maya: User) -> None:
    export = exports.begin(by=maya, client=full, at=NOW)
    Job.objects.all().delete()
    assert exports.throw_away(NOW + timedelta(days=2)) == 1
    export.refresh_from_db()
    assert (export.state, export.stopped_why) == ("stopped", "failed")
    assert exports.begin(by=maya, client=full, at=NOW).pk != export.pk


def test_asked_twice_one_copy_is_made(full: Client, maya: User) -> None:
    first = exports.begin(by=maya, client=full, at=NOW)
    assert exports.begin(by=maya, client=full, at=NOW) == first


def test_big_table_is_split_and_nothing_is_lost(maya: User, rosa: User, sam: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr("practice.bundle.BATCH", 3)
    for n in range(7):
        actions.write_note(by=maya, client=sam, words=f"Note {n}", at=NOW)
    files = opened(made(rosa, None))
    assert sorted(name for name in files if name.startswith("json/practice-note")) == [
        f"json/practice-note-000{n}.json" for n in (1, 2, 3)
    ]
    assert {row["body"] for row in rows(files, "practice-note")} == {f"Note {n}" for n in range(7)}


def test_each_role_may_have_what_its_clients_are(
    sam: Client, maya: User, omar: User, sol: User, rosa: User, fay: User, pax: User
) -> None:
    seen = {}
    for user in (maya, omar, sol, rosa, fay, pax):
        Export.objects.all().delete()
        Export.objects.create(client=sam, asked_by=user, asked_at=NOW)
        Export.objects.create(client=None, asked_by=user, asked_at=NOW)
        seen[user.first_name] = sorted(e.client_id is None for e in Export.objects.visible_to(user))
    assert seen == {
        "Maya": [False], "Omar": [], "Sol": [False], "Rosa": [False, True], "Fay": [], "Pax": [],
    }  # fmt: skip


def test_command_writes_the_same_files_for_the_owner_alone(full: Client, rosa: User, tmp_path: Path) -> None:
    said, place = io.StringIO(), tmp_path / "out"
    call_command("export_practice", "--to", str(place), stdout=said)
    found = {str(file.relative_to(place)): file for file in place.rglob("*") if file.is_file()}
    manifest = json.loads(found.pop("manifest.json").read_text())
    assert {f["path"]: f["sha256"] for f in manifest["files"]} == {
        name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in found.items()
    }
    assert [name for name, file in found.items() if file.stat().st_mode & 0o077] == []
    assert [name for name, file in found.items() if CANARY.encode() in file.read_bytes()] == []
    assert f"{sum(manifest['rows'].values())} rows" in said.getvalue()
    assert AuditEvent.objects.filter(action="export.written").count() == 1


def test_command_writes_into_no_folder_that_holds_something(house: Any, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(CommandError, match="is not empty"):
        call_command("export_practice", "--to", str(tmp_path))
    with pytest.raises(CommandError, match="no folder"):
        call_command("export_practice", "--to", str(tmp_path / "there"))
    assert [file.name for file in tmp_path.iterdir()] == ["there"]
