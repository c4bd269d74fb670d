"""Tells the story of the demo practice: every act of people.toml by the product's own actions, in the order of time.

Nothing is sent: the messages that the acts queue are of the past and are thrown away at the end.
"""

import random
import tomllib
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from intake import actions as intake
from intake import agreement, flow, packet
from intake.models import Answer, Assessment, Intake, Invitation
from practice import access_requests, actions, audit, coverage, emergencies, quiet
from practice.clinical import escalation, table
from practice.kap.demo import (
    bringing,
    doubling,
    enquiring,
    messaging,
    picturing,
    referring,
    sharing,
    signing,
    treatment,
    wording,
)
from practice.kap.demo.answers import Reply, Sitting, give
from practice.models import (
    Alert,
    AlertEvent,
    Backup,
    Client,
    CoverageShift,
    EmergencyAccess,
    Job,
    Notice,
    Practice,
    RoleGrant,
    SafetyContact,
    Site,
    Task,
    User,
)
from referrals.actions import suggestions as referrals
from referrals.actions import tuning
from referrals.models import Suggestion

DATA = Path(__file__).parent / "people.toml"
OLD = timedelta(days=3)  # flags and cards older than this were dealt with
WAITING = timedelta(days=45)  # cards of people with `card = "open"` are left this long
LEVELS = {"n": "none", "l": "low", "m": "moderate", "h": "high", "": ""}
RECORDED = {"": "none", "none": "none", "low": "low", "moderate": "moderate", "high": "high"}
DEVICE = "203.0.113.7 Mobile Safari"

Person = dict[str, Any]
Step = tuple[datetime, int, Callable[[], Any]]


@transaction.atomic
def tell(at: datetime) -> int:
    """Fill an empty database with the demo practice as it stands at this moment. Returns how many people it has."""
    before = set(Job.objects.values_list("pk", flat=True))
    story = Story(at, tomllib.loads(DATA.read_text(encoding="utf-8")))
    story.set_up()
    for number, person in enumerate(story.data["people"]):
        story.plan_person(person, number)
    referring.plan(story)
    messaging.plan(story)
    sharing.plan(story)
    picturing.plan(story)
    doubles = doubling.plan(story)
    signing.plan(story)
    bringing.plan(story)
    wording.plan(story)
    story.play()
    quiet.watch(at=at)
    Notice.objects.all().delete()
    Job.objects.exclude(pk__in=before).delete()
    return len(story.data["people"]) + len(story.data["arrivals"]) + doubles


class Story:
    def __init__(self, at: datetime, data: Mapping[str, Any]) -> None:
        self.at, self.data = at, data
        self.zone = ZoneInfo(data["practice"]["zone"])
        self.staff: dict[str, User] = {}
        self.sites: dict[str, Site] = {}
        self.clients: dict[str, Client] = {}
        self.steps: list[Step] = []

    # --- The clock

    def when(self, said: str) -> datetime:
        """Return the moment that "312d 19:40", "11h" or "9m" means."""
        ago, _, clock = said.partition(" ")
        amount, unit = int(ago[:-1]), ago[-1]
        if unit != "d":
            return self.at - (timedelta(hours=amount) if unit == "h" else timedelta(minutes=amount))
        day = (self.at.astimezone(self.zone) - timedelta(days=amount)).date()
        hour, minute = (int(part) for part in (clock or "19:10").split(":"))
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)

    def coming(self, said: str) -> datetime:
        """Return the moment of "4d 10:00" from now, on a workday."""
        ahead, _, clock = said.partition(" ")
        then = self.when(f"-{ahead} {clock}")
        return then + timedelta(days=max(0, 7 - then.weekday()) if then.weekday() > 4 else 0)

    def do(self, at: datetime, act: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Plan an act; what has not happened yet does not happen."""
        if at <= self.at:
            self.steps.append((at, len(self.steps), partial(act, *args, **kwargs)))

    def play(self) -> None:
        for _at, _order, act in sorted(self.steps, key=lambda step: step[:2]):
            act()

    # --- The practice

    def set_up(self) -> None:
        practice = Practice.get()
        for name, value in self.data["practice"].items():
            setattr(practice, name, value)
        practice.answer_calls_nobody = True
        practice.save()
        for row in self.data["sites"]:
            self.sites[row["key"]] = Site.objects.create(**{k: v for k, v in row.items() if k != "key"})
        for number, row in enumerate(self.data["staff"], 1):
            self.staff[row["key"]] = self._hire(row, number)
        for row in self.data["staff"]:
            user = self.staff[row["key"]]
            user.supervisor, user.backup = (self.staff.get(row.get(role, "")) for role in ("supervisor", "backup"))
            user.save(update_fields=["supervisor", "backup"])
        for key, shifts in self.data["coverage"].items():
            for shift in shifts:
                day, starts, ends = shift.split()
                CoverageShift.objects.create(user=self.staff[key], weekday=int(day), starts=starts, ends=ends)
        audit.record("practice.edited", by=None, target=practice, at=self.when("560d 9:00"), fields=["demo"])
        drill = self.when("12d 10:00")
        self.do(drill, actions.run_drill, by=self.staff["rosa"], at=drill)
        self.do(drill + timedelta(minutes=4), self._end_drill, drill + timedelta(minutes=4))
        for row in self.data["emergencies"]:
            self._plan_emergency(row)
        for row in self.data["rules"]:
            self.do(self.when(row["at"]), self._tune, row, self.when(row["at"]))
        for kind, said in (("tried", "19d 9:10"), ("made", "33h"), ("made", "9h")):
            self._note_backup(kind, self.when(said))
        enquiring.plan(self)

    def _note_backup(self, kind: str, at: datetime) -> None:
        """That a backup was made or tried: there is no file behind it, as there is no server behind the demo."""
        name = f"waymark-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.age"
        Backup.objects.create(kind=kind, at=at, name=name, size=41_000_000, rows=212_400, seconds=9)

    def _hire(self, row: Mapping[str, Any], number: int) -> User:
        user = User.objects.create_user(
            f"{row['key']}@cedarhouse.example",
            pk=uuid.UUID(int=number, version=4),  # the order in which the sign-in links choose
            name=row["name"],
            licence=row.get("licence", ""),
            phone=row.get("phone", ""),
            most_clients=row.get("most_clients"),
            is_demo=True,
        )
        RoleGrant.objects.bulk_create([RoleGrant(user=user, role=role) for role in row["roles"]])
        user.sites.set(self.sites[key] for key in row["sites"])
        return user

    def _tune(self, row: Mapping[str, Any], at: datetime) -> None:
        by, rule = self.staff[row["by"]], table.rule(row["rule"])
        change = tuning.try_numbers(by=by, rule=rule, numbers=row["numbers"], at=at)
        tuning.save_numbers(by=by, change=change, reason=row["reason"], at=at + timedelta(minutes=6))

    def _end_drill(self, at: datetime) -> None:
        alert = Alert.objects.get(is_drill=True)
        actions.acknowledge(by=alert.notices.order_by("told_at")[0].user, alert=alert, at=at)

    def _plan_emergency(self, row: Mapping[str, Any]) -> None:
        """Somebody opened the chart of a colleague's client; what they looked at, when they ended it, the review."""
        at, by = self.when(row["at"]), self.staff[row["by"]]
        ended = at + timedelta(minutes=row["ended_min"])

        def broken() -> EmergencyAccess:
            return EmergencyAccess.objects.get(by=by, at=at)

        def open_it() -> None:
            client = self.clients[row["client"]]
            emergencies.open_chart(by=by, client=client, reason=row["reason"], at=at)

        def look(page: str, when: datetime) -> None:
            audit.record(f"read.{page}", by=by, client=self.clients[row["client"]], at=when)

        self.do(at, open_it)
        for minutes, page in ((1, "chart"), (3, "safety_plan"), (6, "notes")):
            when = at + timedelta(minutes=minutes)
            self.do(when, look, page, when)
        self.do(ended, lambda: emergencies.end(by=by, access=broken(), at=ended))
        if "reviewed" in row:
            said, who, words = row["reviewed"]
            when = self.when(said)
            self.do(when, lambda: emergencies.review(by=self.staff[who], access=broken(), words=words, at=when))

    # --- A person

    def plan_person(self, person: Person, number: int) -> None:
        first, _, last = person["name"].partition(" ")
        person["email"] = f"{first}.{last}@example.net".lower().replace(" ", "").replace("á", "a")
        person["phone"] = f"+1 202 555 {1100 + number:04d}"
        forms = self._forms(person)
        starts = [at for at, *_ in forms] + [self.when(person["sent"]["at"])] if "sent" in person else [forms[0][0]]
        joined = min(starts) - timedelta(days=2, hours=3)
        self.do(joined, self._admit, person, joined)
        for place, (at, key, numbers) in enumerate(forms):
            self._plan_form(person, at, key, numbers, is_last=place == len(forms) - 1)
        if "sent" in person:
            self._plan_sent(person, person["sent"])
        if "reviewed" in person:
            at = self.when(person["reviewed"][0])
            self.do(at, self._review, person, at, person["reviewed"][1])
        for kind, write in (("notes", actions.write_note), ("psychotherapy_notes", actions.write_psychotherapy_note)):
            for said, words in person.get(kind, ()):
                self.do(self.when(said), self._note, person, write, words, self.when(said))
        for said, words in person.get("copy_asked", ()):
            self.do(self.when(said), self._ask_for_copy, person, words, self.when(said))
        if "manual_flag" in person:
            self._plan_manual_flag(person, person["manual_flag"])
        if "todo" in person:
            at, due = self.when(person["todo"]["at"]), self.when(person["todo"]["due"])
            self.do(at, self._open_task, person, "todo", at, due)
        if "booster_open" in person:
            at = self.when(person["booster_open"])
            self.do(at, self._open_task, person, "booster", at, None)
        self.do(self.at, self._settle, person)

    def _forms(self, person: Person) -> list[tuple[datetime, str, Sitting]]:
        found = []
        if first := person.get("intake"):
            item9 = first["item9"]
            numbers = Sitting(first["phq9"], item9, first.get("cssrs", ""), first["gad7"], first.get("trauma", 0))
            found.append((self.when(first["at"]), "intake", numbers))
        for said in person.get("checkins", "").split():
            ago, _, score = said.partition(":")
            total, _, sign = score.partition("/")
            at = self.when(ago if ago[-1] in "hm" else f"{ago}d 19:{10 + int(ago) % 40}")
            item9 = None if sign == "-" else int(sign[0])
            found.append(
                (at, "check-in", Sitting(int(total), item9, LEVELS[sign[1:]], max(2, int(total) - 4) * 3 // 4))
            )
        return found

    def _admit(self, person: Person, at: datetime) -> None:
        therapist = self.staff[person["therapist"]]
        site = therapist.sites.get()
        extra: dict[str, Any] = {"prescriber": self.staff[person["prescriber"]]} if "prescriber" in person else {}
        extra |= {"language": person["language"]} if "language" in person else {}
        self.clients[person["name"]] = actions.admit(
            by=therapist,
            site=site,
            therapist=therapist,
            at=at,
            is_demo=True,
            zone=site.zone,
            name_used=person["name"],
            email=person["email"],
            phone=person["phone"],
            **extra,
        )

    def _client(self, person: Person) -> Client:
        """The client as they stand now: acts before may have moved them."""
        client = self.clients[person["name"]]
        client.refresh_from_db()
        return client

    # --- Forms

    def _plan_form(self, person: Person, at: datetime, key: str, numbers: Sitting, *, is_last: bool) -> None:
        minutes = 31 if key == "intake" else 6
        how = person.get("heard", "") if is_last else ""
        self.do(at, self._fill_in, person, at, timedelta(minutes=minutes), key, numbers, how)
        is_read = key == "check-in" or person["intake"].get("read", True)
        is_new = self.at - at < OLD
        if is_read and not (is_new and numbers.has_sign):
            read = at + timedelta(hours=15)
            self.do(read, self._read, person, read)
            if key == "intake" and person["intake"].get("answers", {}).get("trials"):
                self.do(read + timedelta(minutes=5), self._confirm_trials, person, read + timedelta(minutes=5))
            waits = person.get("card") == "open" and self.at - at < WAITING
            if not waits and not (is_last and is_new):
                self.do(read + timedelta(minutes=6), self._review, person, read + timedelta(minutes=6))
        if numbers.has_sign:
            flag = person.get("flag", {}) if is_last and is_new else None
            self._plan_flag(person, at, numbers, flag)

    def _fill_in(self, person: Person, at: datetime, length: timedelta, key: str, numbers: Sitting, how: str) -> None:
        """`how`: the therapist entered what the person said, "phone" or "room"; "" when they typed it themselves."""
        client, begun = self._client(person), at - length
        therapist = self.staff[person["therapist"]]
        invitation = intake.invite(by=therapist, client=client, key=key, at=begun - timedelta(hours=9))
        sitting = intake.start(invitation=invitation, at=begun)
        replies = give(packet.load(key), person, numbers, self.data["words"], begun.astimezone(self.zone).date())
        watched = self._watched(sitting, replies, numbers, at)
        self._answer(client, sitting, replies, begun, length, watched)
        if key == "intake":
            self._sign(person, client, sitting, replies, at)
        if how:
            Intake.objects.filter(pk=sitting.pk).update(entered_how=how)
            sitting.answers.update(entered_by=therapist, entered_how=how)
        intake.submit(by=client, sitting=sitting, at=at, entered_by=therapist if how else None)

    def _watched(self, sitting: Intake, replies: Mapping[str, Reply], numbers: Sitting, at: datetime) -> list[str]:
        """The safety pages to keep one by one, as each raises the flag; of an old flag the first and the last."""
        by_slug = intake.packet_of(sitting).by_slug
        pages = [slug for slug in replies if by_slug[slug].safety and by_slug[slug].instrument]
        if not numbers.has_sign:
            return []
        return pages if self.at - at < OLD else [pages[0], pages[-1]]

    def _answer(
        self,
        client: Client,
        sitting: Intake,
        replies: Mapping[str, Reply],
        begun: datetime,
        length: timedelta,
        watched: Collection[str],
    ) -> None:
        """Answer the questions one after another. Those that nothing hangs on are kept together, in one stroke."""
        wanted, step = intake.packet_of(sitting), length / (len(replies) + 8)
        together: list[Answer] = []
        for place, (slug, reply) in enumerate(replies.items(), 1):
            page, moment = wanted.by_slug[slug], begun + place * step
            if page.applies in intake.APPLIED_AT_ONCE or slug in watched:
                Answer.objects.bulk_create(together)
                together = []
                intake.save_answer(
                    by=client, sitting=sitting, page=page, value=reply.value, at=moment, skipped=reply.skipped
                )
            else:
                row = Answer(intake=sitting, question=slug, skipped=reply.skipped, at=moment)
                row.value = reply.value
                together.append(row)
        Answer.objects.bulk_create(together)
        Intake.objects.filter(pk=sitting.pk).update(saved_at=moment, at_page=slug)
        audit.record("answer.saved", by=client, client=client, target=sitting, at=moment, questions=[*replies])

    def _sign(
        self, person: Person, client: Client, sitting: Intake, replies: Mapping[str, Reply], at: datetime
    ) -> None:
        wanted = intake.packet_of(sitting)
        for page in flow.pages(wanted, replies, flow.World()):
            if page.agreement:
                text = agreement.load(page.agreement, page.version)
                intake.sign_consent(
                    by=client,
                    sitting=sitting,
                    page=page,
                    agreement=text,
                    typed_name=str(person.get("legal", person["name"])),
                    relation="self",
                    acknowledged=[point.key for point in text.acknowledgements],
                    device=DEVICE,
                    at=at - timedelta(minutes=1),
                )

    def _plan_sent(self, person: Person, sent: Mapping[str, Any]) -> None:
        """A packet that is not back: only sent, looked at, begun, left, too old, or taken back."""
        at, state = self.when(sent["at"]), sent["state"]
        self.do(at, self._invite, person, sent["packet"], at)
        for days in (2, 5, 7):
            chase = at + timedelta(days=days, minutes=10)
            self.do(chase, intake.chase, at=chase)
        if state == "opened":
            opened = at + timedelta(hours=5)
            self.do(opened, self._with_invitation, person, intake.open_link, at=opened)
        if state == "withdrawn":
            taken = at + timedelta(days=4)
            therapist = self.staff[person["therapist"]]
            self.do(taken, self._with_invitation, person, intake.withdraw, by=therapist, at=taken)
        if state in ("in_progress", "left"):
            self.do(self.when(sent["begun"]), self._begin, person, sent, self.when(sent["begun"]))
        if state == "left":
            left = self.when(sent["begun"]) + timedelta(minutes=35)
            self.do(left, intake.watch_leaving, at=left)
            self._plan_climbs(self.when(sent["begun"]) + timedelta(minutes=12), "urgent", self.at)

    def _invite(self, person: Person, key: str, at: datetime) -> None:
        intake.invite(by=self.staff[person["therapist"]], client=self._client(person), key=key, at=at)

    def _with_invitation(self, person: Person, act: Callable[..., Any], **kwargs: Any) -> None:
        act(invitation=self._invitation(person), **kwargs)

    def _invitation(self, person: Person) -> Invitation:
        """The packet that was sent last."""
        sent = Invitation.objects.select_related("client").filter(client=self._client(person))
        return sent.latest("created_at")

    def _begin(self, person: Person, sent: Mapping[str, Any], at: datetime) -> None:
        """Begin and stop half way: after the question on thoughts of death when a sign was given, else before it."""
        client = self._client(person)
        invitation = self._invitation(person)
        intake.open_link(invitation=invitation, at=at)
        sitting = intake.start(invitation=invitation, at=at)
        numbers = Sitting(sent.get("phq9", 12), sent.get("item9", 0))
        replies = give(packet.load(sent["packet"]), person, numbers, self.data["words"], at.date())
        slugs = list(replies)
        stop = slugs.index("phq-9--9") + (1 if numbers.has_sign else -3)
        some = {slug: replies[slug] for slug in slugs[:stop]}
        watched = self._watched(sitting, some, numbers, at)
        self._answer(client, sitting, some, at, timedelta(minutes=13), watched)
        alert = intake.alert_of(sitting)
        if alert is not None:
            shown = at + timedelta(minutes=13)
            actions.client_did(client=client, alert=alert, kind=AlertEvent.Kind.SHOWN, at=shown, what="bridge")

    # --- Reading, deciding, writing

    def _read(self, person: Person, at: datetime) -> None:
        therapist = self.staff[person["therapist"]]
        for sitting in Intake.objects.filter(client=self._client(person), read_at=None, submitted_at__lte=at):
            sitting.mark_read(by=therapist, at=at)
            scored = Assessment.objects.filter(intake=sitting, read_at=None)
            count = scored.update(read_at=at, read_by=therapist)
            audit.record("assessment.read", by=therapist, client=sitting.client_id, target=sitting, at=at, count=count)

    def _confirm_trials(self, person: Person, at: datetime) -> None:
        sitting = Intake.objects.get(client=self._client(person), invitation__packet="intake")
        referrals.confirm_trials(by=self.staff[person["therapist"]], sitting=sitting, at=at)

    def _review(self, person: Person, at: datetime, words: str = "") -> None:
        card = Suggestion.objects.filter(client=self._client(person), state=Suggestion.State.OPEN).first()
        if card is not None:
            reasoning = words or self._choose("reasoning", person, at)
            referrals.review(by=self.staff[person["therapist"]], suggestion=card, reasoning=reasoning, at=at)

    def _ask_for_copy(self, person: Person, words: str, at: datetime) -> None:
        client = self._client(person)
        access_requests.ask(by=client, client=client, words=words, at=at)

    def _note(self, person: Person, write: Callable[..., Any], words: str, at: datetime) -> None:
        write(by=self.staff[person["therapist"]], client=self._client(person), words=words, at=at)

    def _open_task(self, person: Person, kind: str, at: datetime, due: datetime | None) -> None:
        client = self._client(person)
        Task.open(client, kind, at=at, due_at=due, owner=self.staff[person["therapist"]])
        audit.record("task.opened", by=None, client=client, at=at, kind=kind)

    def _choose(self, key: str, person: Person, at: datetime) -> str:
        words: Sequence[str] = self.data["words"][key]
        return random.Random(f"{person['name']} {at:%Y}{len(person['name'])} {key}").choice(words)  # noqa: S311 (invented)

    def _settle(self, person: Person) -> None:
        """What stands in the caseload row besides the answers: treatment, next session, whether still in care."""
        client = self._client(person)
        plan = treatment.record(client, person, self)
        client.plan_name, client.plan_note = person.get("plan") or plan or ("", "")
        if "next_session" in person:
            client.next_session_at = self.coming(person["next_session"])
        client.status = person.get("status", client.status)
        client.save(update_fields=["plan_name", "plan_note", "next_session_at", "status"])
        audit.record("client.edited", by=None, client=client, target=client, at=self.at, fields=["plan_name", "status"])

    # --- Flags

    def _alert(self, person: Person) -> Alert:
        return Alert.objects.filter(client=self._client(person)).latest("opened_at")

    def _plan_climbs(self, since: datetime, severity: str, until: datetime) -> None:
        for minutes in escalation.minutes(severity)[1:]:
            climb = since + timedelta(minutes=minutes + 1)
            if climb < until:
                self.do(climb, actions.climb_alerts, at=climb)

    def _plan_flag(self, person: Person, at: datetime, numbers: Sitting, flag: Mapping[str, Any] | None) -> None:
        """What was done about a flag. Without an entry of its own: picked up, called, closed, checked."""
        tapped = at - timedelta(minutes=2)
        self.do(at, self._shown, person, tapped, numbers.cssrs or "skipped", (flag or {}).get("tapped", ()))
        if flag is None:
            flag = {"acknowledged": at + timedelta(minutes=12), "contact": [at + timedelta(hours=2), "yes"]}
            flag |= {"closed": at + timedelta(hours=20), "checked": at + timedelta(days=3)}
        moments = {key: self._moment(flag[key]) for key in ("acknowledged", "closed", "checked") if key in flag}
        severity = "urgent" if numbers.cssrs == "high" else "priority"
        self._plan_climbs(at, severity, moments.get("acknowledged", self.at))
        if flag.get("call_me"):
            self.do(at + timedelta(minutes=2), self._call_me, person, at + timedelta(minutes=2))
        if "acknowledged" in moments:
            self.do(moments["acknowledged"], self._acknowledge, person, moments["acknowledged"])
        if "contact" in flag:
            contact, reached = self._moment(flag["contact"][0]), flag["contact"][1]
            level = RECORDED[numbers.cssrs] if reached == "yes" else SafetyContact.Level.UNKNOWN
            self.do(contact, self._contact, person, contact, reached, level)
        if "closed" in moments:
            self.do(moments["closed"], self._close, person, moments["closed"])
        if "checked" in moments:
            self.do(moments["checked"], self._check, person, moments["checked"])

    def _moment(self, said: str | datetime) -> datetime:
        return said if isinstance(said, datetime) else self.when(said)

    def _shown(self, person: Person, at: datetime, what: str, taps: Sequence[str]) -> None:
        client, alert = self._client(person), self._alert(person)
        actions.client_did(client=client, alert=alert, kind=AlertEvent.Kind.SHOWN, at=at, what=what)
        for tap in taps:
            actions.client_did(client=client, alert=alert, kind=AlertEvent.Kind.TAPPED, at=at, what=tap)

    def _call_me(self, person: Person, at: datetime) -> None:
        client = self._client(person)
        sitting = Intake.objects.filter(client=client).latest("started_at")
        call_by = coverage.read_by(at, Practice.get())
        intake.ask_for_call(by=client, sitting=sitting, wanted=True, call_by=call_by, at=at)

    def _acknowledge(self, person: Person, at: datetime) -> None:
        actions.acknowledge(by=self.staff[person["therapist"]], alert=self._alert(person), at=at)

    def _contact(self, person: Person, at: datetime, reached: str, level: str) -> None:
        spoke = reached == SafetyContact.Reached.YES
        actions.record_contact(
            by=self.staff[person["therapist"]],
            alert=self._alert(person),
            recorded_at=at,
            at=at - timedelta(minutes=5),
            reached=reached,
            level=level,
            action=self._choose("contact_action", person, at) if spoke else self.data["words"]["left_message"],
            plan=self._choose("contact_plan", person, at) if spoke else "",
            next_check_at=at + timedelta(days=2 if spoke else 1),
        )

    def _close(self, person: Person, at: datetime) -> None:
        actions.close_alert(
            by=self.staff[person["therapist"]],
            alert=self._alert(person),
            action=Alert.Action.SAFETY_PLAN,
            note=self._choose("closing_note", person, at),
            at=at,
        )

    def _check(self, person: Person, at: datetime) -> None:
        words = self._choose("check_note", person, at)
        actions.finish_next_check(by=self.staff[person["therapist"]], alert=self._alert(person), words=words, at=at)

    def _plan_manual_flag(self, person: Person, flag: Mapping[str, Any]) -> None:
        at = self.when(flag["at"])

        def raise_it() -> None:
            actions.raise_manual_flag(
                by=self.staff[flag["by"]],
                client=self._client(person),
                severity=flag["severity"],
                reason=flag["reason"],
                at=at,
            )

        self.do(at, raise_it)
        self._plan_climbs(at, flag["severity"], self.at)
