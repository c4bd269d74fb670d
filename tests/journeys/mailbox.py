"""What the product mails, read back from a real mail server; and the way into the clinic's desk by such a mail."""

import email
import email.policy
import re
from email.message import EmailMessage

from playwright.sync_api import Page

from practice import jobs
from tests.journeys.walking import press
from tests.system.conftest import Postbox


def newest(postbox: Postbox, subject: str) -> EmailMessage:
    """Deliver what waits, and return the newest mail whose subject says this."""
    jobs.run_due()
    mails = [email.message_from_string(text, policy=email.policy.default) for text in postbox.messages]
    found = [mail for mail in mails if subject in str(mail["Subject"])]
    assert found, [str(mail["Subject"]) for mail in mails]
    return found[-1]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link_in(mail: EmailMessage) -> str:
    found = re.search(r"https?://\S+(/r/\S+)", text_of(mail))
    assert found
    return found[1]


def code_in(mail: EmailMessage) -> str:
    found = re.search(r"\b(\d{6})\b", text_of(mail))
    assert found
    return found[1]


def come_in(page: Page, link: str, postbox: Postbox) -> None:
    page.goto(link)
    press(page, "Send me a code")
    page.get_by_label("Code", exact=True).fill(code_in(newest(postbox, "Your code")))
    press(page, "Open the referral")
