"""Run once against a fresh mongod, and again when its port has moved: replica set, administrator, logger's user.

    python -m compose.local.servers.mongo_setup PORT STAMP

Every step may be repeated: a run that was killed half way is finished by the next one.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from compose.local.ports import LOOPBACK

ADMIN, PASSWORD, OWNER, DATABASE = "admin", "password", "logger", "logs"
_ALREADY_INITIALIZED = 23
_USER_EXISTS = 51003
_LIMIT = 30.0
_Client = MongoClient[dict[str, Any]]


def main(port: int, stamp: Path) -> None:
    member = f"{LOOPBACK}:{port}"
    administrator = _as_administrator(port)
    if administrator is None:
        newcomer = _connect(port)
        _initiate(newcomer, member)
        _wait_for_primary(newcomer)
        roles = [{"role": "root", "db": "admin"}]
        newcomer.admin.command("createUser", ADMIN, pwd=PASSWORD, roles=roles)
        administrator = _connect(port, f"{ADMIN}:{PASSWORD}@")
    else:
        _move(administrator, member)
        _wait_for_primary(administrator)
    _create_owner(administrator)
    stamp.write_text(str(port))


def _connect(port: int, login: str = "") -> _Client:
    return MongoClient(
        f"mongodb://{login}{LOOPBACK}:{port}/",
        directConnection=True,
        serverSelectionTimeoutMS=5000,
        socketTimeoutMS=10000,
    )


def _as_administrator(port: int) -> _Client | None:
    """None on a fresh server, where only the localhost exception opens the door."""
    client = _connect(port, f"{ADMIN}:{PASSWORD}@")
    try:
        client.admin.command("ping")
    except OperationFailure:
        return None
    return client


def _initiate(client: _Client, member: str) -> None:
    config = {
        "_id": "rs0",
        "members": [{"_id": 0, "host": member}],
        # acknowledged majority writes otherwise wait for the journal's commit interval
        "writeConcernMajorityJournalDefault": False,
    }
    try:
        client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise


def _move(client: _Client, member: str) -> None:
    """After a change of port the server does not find itself in its own replica set; only force can tell it."""
    config = client.admin.command("replSetGetConfig")["config"]
    if config["members"][0]["host"] == member:
        return
    config["members"][0]["host"] = member
    config["version"] += 1
    client.admin.command("replSetReconfig", config, force=True)


def _wait_for_primary(client: _Client) -> None:
    deadline = time.monotonic() + _LIMIT
    while not client.admin.command("hello")["isWritablePrimary"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no primary within {_LIMIT:.0f} s")
        time.sleep(0.02)


def _create_owner(client: _Client) -> None:
    roles = [{"role": role, "db": DATABASE} for role in ("readWrite", "dbAdmin")]
    try:
        client[DATABASE].command("createUser", OWNER, pwd=PASSWORD, roles=roles)
    except OperationFailure as error:
        if error.code != _USER_EXISTS:
            raise


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), Path(sys.argv[2]))
    except (PyMongoError, TimeoutError) as problem:
        sys.exit(f"mongo setup: {problem}")
