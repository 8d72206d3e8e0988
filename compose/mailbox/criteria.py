"""What can be asked of the store. Text is compared case-folded, as the store keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from compose.mailbox.reading import bare_message_id


@dataclass(frozen=True, slots=True)
class Criteria:
    """Conditions that all must hold; an empty one always does."""

    sender: str = ""
    receiver: str = ""
    subject: str = ""
    content: str = ""
    anywhere: str = ""
    message_id: str = ""


EVERYTHING = Criteria()


def sent_by(piece: str) -> Criteria:
    return Criteria(sender=piece.casefold())


def sent_to(piece: str) -> Criteria:
    return Criteria(receiver=piece.casefold())


def containing(piece: str) -> Criteria:
    return Criteria(content=piece.casefold())


def anywhere(piece: str) -> Criteria:
    """People, header fields or content: what one search box means."""
    return Criteria(anywhere=piece.casefold())


def awaited(*, to: str, subject: str, message_id: str) -> Criteria:
    """`to` is a whole address, `subject` a piece of it, `message_id` with or without brackets; empty means any."""
    # The store frames each address with line ends, so this matches whole addresses only.
    receiver = f"\n{to.strip().casefold()}\n" if to.strip() else ""
    return Criteria(receiver=receiver, subject=subject.casefold(), message_id=bare_message_id(message_id))
