"""Schema and users from the command line; the composition root of these commands, as app.py is the server's.

Heavy imports wait until a command needs them: `setup` is part of every start and mostly finds nothing to do.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

from auth import arrival
from auth.domain import DEVELOPMENT_PASSWORD
from auth.migrations import HEAD, SchemaError
from auth.settings import AuthSettings, password_from_environment
from common.errors import AppError, InvalidError, Problem
from common.settings import load

# Building an index on a large adopted table takes its time.
MIGRATION_MILLISECONDS = 600_000


def main(arguments: Sequence[str]) -> int:
    """The exit code. A failure is one clear line on standard error."""
    from psycopg2 import Error

    options = _parser().parse_args(arguments)
    settings = load(AuthSettings)
    try:
        options.command(settings, options)
    except InvalidError as error:
        for problem in error.problems:
            print(f"auth: {problem.pointer.removeprefix('#/')}: {problem.detail}", file=sys.stderr)
        return 2
    except (AppError, SchemaError) as error:
        print(f"auth: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        cause = error if isinstance(error, Error) else error.__cause__
        if not isinstance(cause, Error):
            raise
        print(f"auth: the database refuses: {str(cause).strip().splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m auth", description="Schema and users of the authentication service."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    setup = commands.add_parser("setup", help="bring the schema up to date; in development add the example user")
    setup.set_defaults(command=_setup)
    migrate = commands.add_parser("migrate", help="move the schema to a revision")
    migrate.add_argument("--to", default="head", metavar="REV", help="a revision, head (the default) or base")
    migrate.set_defaults(command=_migrate)
    create = commands.add_parser("create-user", help="add a user; the password comes from NEW_PASSWORD or a prompt")
    create.add_argument("--email", required=True)
    create.add_argument("--first-name", default="")
    create.add_argument("--last-name", default="")
    create.add_argument("--inactive", action="store_true", help="may not log in yet")
    create.set_defaults(command=_create_user)
    return parser


def _setup(settings: AuthSettings, _options: argparse.Namespace) -> None:
    found = arrival.look(settings.dsn)
    wants_user = settings.app_env == "development" and not found.has_development_user
    if found.revision == HEAD and not wants_user:
        print("schema and users are in place")
        return
    from auth.migrations.run import migrate
    from auth.passwords import hash_password
    from auth.postgres.development import add_development_user
    from common.postgres import create_postgres

    engine = create_postgres(settings.dsn, pool_size=1, statement_ms=MIGRATION_MILLISECONDS)
    try:
        if found.revision != HEAD:
            _tell(*migrate(engine))
        if wants_user:
            password_hash = hash_password(DEVELOPMENT_PASSWORD, cost=settings.bcrypt_cost)
            if add_development_user(engine, password_hash=password_hash):
                print("development user added")
    finally:
        engine.dispose()


def _migrate(settings: AuthSettings, options: argparse.Namespace) -> None:
    from auth.migrations.run import migrate
    from common.postgres import create_postgres

    arrival.look(settings.dsn)
    engine = create_postgres(settings.dsn, pool_size=1, statement_ms=MIGRATION_MILLISECONDS)
    try:
        _tell(*migrate(engine, to=options.to))
    finally:
        engine.dispose()


def _tell(before: str | None, after: str | None) -> None:
    print(f"schema is at {after or 'base'}" if before == after else f"schema: {before or 'base'} -> {after or 'base'}")


def _create_user(settings: AuthSettings, options: argparse.Namespace) -> None:
    from auth.gate import Gate
    from auth.passwords import BcryptPasswords
    from auth.postgres.store import PostgresStore
    from auth.schemas import NewUserBody
    from auth.service import Registration
    from common.clock import SystemClock
    from common.postgres import create_postgres
    from common.web.reading import validate

    values = {name: getattr(options, name) for name in ("email", "first_name", "last_name")}
    body = validate(NewUserBody, values | {"password": _new_password()}, under="#")
    arrival.look(settings.dsn)
    engine = create_postgres(settings.dsn, pool_size=1)
    passwords = BcryptPasswords(cost=settings.bcrypt_cost, gate=Gate(slots=1, waiting=0))
    try:
        user = Registration(PostgresStore(engine, SystemClock()), passwords).register(
            body.email, body.password, first_name=body.first_name, last_name=body.last_name, active=not options.inactive
        )
    finally:
        engine.dispose()
    print(f"user {user.id} added")


def _new_password() -> str:
    """Raises InvalidError when there is nobody to ask."""
    if given := password_from_environment():
        return given
    if not sys.stdin.isatty():
        raise InvalidError("no password", problems=[Problem("#/password", "set NEW_PASSWORD, or use a terminal")])
    first, second = getpass.getpass("Password: "), getpass.getpass("Again: ")
    if first != second:
        raise InvalidError("not the same", problems=[Problem("#/password", "the two are not the same")])
    return first
