"""How safe the client is: the screener, item 9, the last contact, the safety plan."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.views import reading
from practice import coverage
from practice.clinical import windows
from practice.clinical.risk import CSSRS
from practice.models import SafetyPlan
from practice.templatetags.ui import full_day
from referrals.models import Section
from referrals.sections.record import ITEM9, MAIN_MEASURE, NOT_KNOWN, Block, Record, block, full_moment, known

# What each question of the C-SSRS screener asks, for a clinician.
CSSRS_WORDS = {
    "cssrs-1": _("wish to be dead"),
    "cssrs-2": _("thoughts of suicide"),
    "cssrs-3": _("thoughts of a method"),
    "cssrs-4": _("some intent to act"),
    "cssrs-5": _("a plan with intent"),
    "cssrs-6": _("suicidal behavior, ever"),
    "cssrs-6r": _("suicidal behavior, last 3 months"),
}


# --- Safety ----------------------------------------------------------------------------------------------------------


def safety_block(record: Record) -> Block:
    local = coverage.local(record.at, record.practice)
    therapist = record.client.therapist
    lines = [screener_words(record), item9_words(record), contact_words(record), plan_words(record)]
    lines.append(
        gettext("Call {who} at {phone} the same day if risk rises. Call 911 in an emergency.").format(
            who=therapist.name if therapist else record.practice.name, phone=known(record.practice.phone)
        )
    )
    title = gettext("Safety, as of {when}").format(when=full_moment(local))
    return block(Section.SAFETY, "safety", title, boxed=True, lines=lines)


def screener_words(record: Record) -> str:
    """The newest C-SSRS, question by question. A blank is told as a blank, never as a "no"."""
    taken = record.assessments.get(CSSRS)
    if not taken:
        return gettext("C-SSRS screener: {words}.").format(words=NOT_KNOWN)
    last = taken[-1]
    given = last.answers or {}
    asked = [item for item in last.definition.applicable_items(given) if item.link_id in CSSRS_WORDS]
    said = [
        gettext("C-SSRS screener {day}: {level}.").format(day=full_day(last.taken_on), level=reading.band_words(last))
    ]
    if not windows.is_current(CSSRS, last.taken_on, record.today):
        said.append(gettext("Expired: more than {n} days old.").format(n=windows.OTHER_DAYS))
    for label, wanted in (
        (gettext("Yes"), lambda value: value == 1),
        (gettext("No"), lambda value: value == 0),
        (gettext("Not answered"), lambda value: value is None),
    ):
        found = [str(CSSRS_WORDS[item.link_id]) for item in asked if wanted(given.get(item.link_id))]
        if found:
            said.append(f"{label}: {', '.join(found)}.")
    return " ".join(said)


def item9_words(record: Record) -> str:
    taken = record.assessments.get(MAIN_MEASURE)
    if not taken:
        return gettext("PHQ-9 item 9: {words}.").format(words=NOT_KNOWN)
    last = taken[-1]
    item = last.definition.item(ITEM9)
    option = item.option((last.answers or {}).get(ITEM9))
    words = (
        gettext("{value} of 3, “{words}”").format(value=option.value, words=option.label)
        if option
        else gettext("not answered")
    )
    return gettext("PHQ-9 item 9, {day}: {words}.").format(day=full_day(last.taken_on), words=words)


def contact_words(record: Record) -> str:
    """The last contact; and plainly so when a newer sign has none yet."""
    contact, flag = record.contact, record.flag
    said = []
    if flag is not None and (contact is None or contact.recorded_at < flag.raised_at):
        opened = full_moment(coverage.local(flag.raised_at, record.practice))
        said.append(gettext("Safety sign of {when}: no contact recorded yet.").format(when=opened))
    if contact is not None:
        local = coverage.local(contact.at, record.practice)
        words = gettext("Safety contact {when} by {who}: {reached}. Level found: {level}. Next check {next}.").format(
            when=full_moment(local),
            who=contact.by.name,
            reached=contact.get_reached_display().lower(),
            level=contact.get_level_display().lower(),
            next=full_moment(coverage.local(contact.next_check_at, record.practice)),
        )
        said.append(words)
    return " ".join(said) or gettext("Safety contact: none recorded.")


def plan_words(record: Record) -> str:
    plan = SafetyPlan.current(record.client)
    if plan is None or plan.finished_at is None:
        return gettext("Safety plan: none yet. Means safety: {words}.").format(words=NOT_KNOWN)
    said = gettext("Safety plan of {day}, review by {review}. Means safety: {means}.").format(
        day=full_day(coverage.local(plan.finished_at, record.practice)),
        review=full_day(plan.review_on),
        means=str(plan.get_means_display()).lower(),
    )
    return f"{said} {plan.means_words.strip()}".strip()
