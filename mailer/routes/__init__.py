"""The HTTP door of the mailer."""

from __future__ import annotations

from flask import Blueprint, Response

from common.web.access import Access, access
from common.web.reading import read_json
from common.web.replies import envelope
from mailer.schemas import SendBody, receipt_as_json
from mailer.service import MailService


def mail_blueprint(service: MailService) -> Blueprint:
    blueprint = Blueprint("mail", __name__)

    @blueprint.post("/send")
    @access(Access.INTERNAL)
    def send() -> Response:
        body = read_json(SendBody)
        receipt = service.send(body.letter())
        return envelope(f"sent to {body.to}", receipt_as_json(receipt))

    return blueprint
