"""What mails say. Of what people typed there is only the tenant's name, without what could be a link or a header."""

import email.policy
import re
from collections.abc import Mapping
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import localtime, make_msgid

from msgspec import Struct

from infrastructure.mailed_tokens import Kind, MailedToken

_POLICY = email.policy.SMTP.clone(max_line_length=200)
"""Lines long enough for a link: broken ones are read in files, and by programs of tests."""

_NAME = 60
_UNSPOKEN = re.compile(r"[^\w &'()-]+")
"""A sign-up could otherwise send anybody a link of its own choice in our name."""


class Wording(Struct, frozen=True, kw_only=True):
    """What a mail of a kind says: `name` stands for the tenant's, `time` for how long its link is good."""

    page: str
    subject: str
    before: str
    after: str


WORDINGS: Mapping[Kind, Wording] = {
    Kind.RESET: Wording(
        page="reset-password",
        subject="Choose another password for {name}",
        before="Somebody asked for another password for your account at {name}. To choose one, open this link:",
        after="If it wasn't you, do nothing: your password stays as it is.",
    ),
    Kind.VERIFICATION: Wording(
        page="verify-email",
        subject="Is this your address at {name}?",
        before="This address was given for an account at {name}. To confirm that it is yours, open this link:",
        after="If it isn't your account, do nothing.",
    ),
    Kind.INVITATION: Wording(
        page="accept-invitation",
        subject="Your account at {name}",
        before="There is an account for you at {name}. To choose your password and begin, open this link:",
        after="If you don't know what this is about, do nothing: without you nobody gets in.",
    ),
}


def letter(
    token: MailedToken, *, to: Address, sender: Address, tenant: str, links_at: str, lifetime: timedelta
) -> EmailMessage:
    """The mail with a token's link. The token stands behind `#`: no browser sends that on, and no server logs it."""
    wording = WORDINGS[token.kind]
    name = spoken(tenant)
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = wording.subject.format(name=name)
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"{wording.before.format(name=name)}\n\n"
        f"{links_at}/{wording.page}#token={token.text}\n\n"
        f"It works once, within {_in_words(lifetime)}.\n{wording.after}\n"
    )
    return message


def spoken(name: str) -> str:
    """A tenant's name as a mail may say it: letters, digits and few signs, so that no program makes a link of it."""
    return " ".join(_UNSPOKEN.sub(" ", name).split())[:_NAME].rstrip() or "ClientForge"


def _in_words(lifetime: timedelta) -> str:
    seconds = int(lifetime.total_seconds())
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length or seconds == length:
            number = seconds // length
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "a minute"
