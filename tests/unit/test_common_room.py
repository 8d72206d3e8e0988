from __future__ import annotations

import pytest

from common.errors import InvalidError, TooManyError
from common.web import edge, reading
from common.web.access import Access, access
from common.web.app import create_flask
from common.web.reading import read_body
from common.web.room import Room

LARGE = b"x" * 200_000


@pytest.fixture
def room(monkeypatch) -> Room:
    room = Room(300_000)
    monkeypatch.setattr(edge, "bodies", room)
    monkeypatch.setattr(reading, "bodies", room)
    return room


@pytest.fixture
def client(room):
    app = create_flask("test", checks={})

    @app.post("/size")
    @access(Access.PUBLIC)
    def size():
        body = read_body()
        if body.endswith(b"bad"):
            raise InvalidError("bad")
        if body.endswith(b"bug"):
            raise RuntimeError
        return str(len(body))

    return app.test_client()


def test_large_bodies_share_a_room_and_the_one_too_many_is_told_to_come_again(room, client):
    held = room.take(200_000)

    refused = client.post("/size", data=LARGE)

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    room.give_back(held)
    assert client.post("/size", data=LARGE).data == b"200000"


@pytest.mark.parametrize("ending", [b"", b"bad", b"bug"])
def test_a_request_gives_its_room_back_however_it_ends(room, client, ending):
    for _ in range(5):
        client.post("/size", data=LARGE + ending)

    assert room.take(300_000) == 300_000


def test_a_body_of_unknown_length_takes_what_it_may_grow_to(client):
    refused = client.post("/size", data=b"{}", environ_overrides={"CONTENT_LENGTH": "", "wsgi.input_terminated": True})

    assert refused.status_code == 429


def test_small_bodies_need_no_room(room, client):
    room.take(300_000)

    assert client.post("/size", data=b"{}").data == b"2"


def test_nothing_is_taken_when_there_is_too_little():
    room = Room(100_000)
    with pytest.raises(TooManyError):
        room.take(100_001)

    assert room.take(100_000) == 100_000
