"""What callers send to the authentication service and what they read back."""

from __future__ import annotations

from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from auth.domain import MAX_PASSWORD_BYTES, User
from common.web.reading import Body, Line, no_nul, one_line

# NIST SP 800-63B asks for eight characters at least; users who were adopted may have less.
SHORTEST_NEW_PASSWORD = 8


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _within_bcrypt(value: str) -> str:
    if len(value.encode()) > MAX_PASSWORD_BYTES:
        raise ValueError(f"must not be longer than {MAX_PASSWORD_BYTES} bytes")
    return value


Email = Annotated[Line, BeforeValidator(_trimmed)]
Name = Annotated[str, StringConstraints(max_length=255), AfterValidator(one_line)]
Password = Annotated[str, StringConstraints(min_length=1), AfterValidator(no_nul), AfterValidator(_within_bcrypt)]
NewPassword = Annotated[
    str, StringConstraints(min_length=SHORTEST_NEW_PASSWORD), AfterValidator(no_nul), AfterValidator(_within_bcrypt)
]


def _address(value: str) -> str:
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return value


class Credentials(Body):
    email: Email
    password: Password


class NewUserBody(Body):
    email: Annotated[Email, AfterValidator(_address)]
    password: NewPassword
    first_name: Name
    last_name: Name


def user_as_json(user: User) -> dict[str, Any]:
    """The user as the Go original shows it: `active` is 0 or 1, the password never appears."""
    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "active": int(user.active),
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }
