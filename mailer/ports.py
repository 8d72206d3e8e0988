"""What the use case needs from outside."""

from __future__ import annotations

from typing import Protocol

from mailer.domain import Bodies, Letter, Mail


class Sender(Protocol):
    def send(self, mail: Mail) -> None:
        """Returns when the mail server has taken the mail over.

        Raises InvalidError when it never will, UnavailableError when it may later, DeadlineError when it did not say in
        time. After the last two it may have been taken over unnoticed.
        """


class Renderer(Protocol):
    def render(self, letter: Letter, *, reference: str) -> Bodies:
        """Both bodies from the letter's template. `reference` is what a reader may quote.

        Raises InvalidError when there is no such template.
        """
