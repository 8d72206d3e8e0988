"""An SMTP server that does what a test tells it: refuse, be silent, drip, ask for TLS. Real sockets on loopback."""

from __future__ import annotations

import atexit
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import trustme


def _make_certificate() -> Path:
    """A key and a certificate for localhost, and the authority that signed it, in one file of this process's own."""
    folder = tempfile.TemporaryDirectory(prefix="smtp-tls-")
    atexit.register(folder.cleanup)
    authority = trustme.CA()
    path = Path(folder.name) / "localhost.pem"
    for part in (authority.issue_cert("localhost").private_key_and_cert_chain_pem, authority.cert_pem):
        part.write_to_path(path, append=True)
    return path


CERTIFICATE = _make_certificate()

SILENCE = "silence"
DRIP = "drip"
HANG_UP = "hang up"
LATE = "late"
LATE_SECONDS = 0.3


@dataclass(slots=True)
class Script:
    """Replies by verb, and BANNER and DATA-END; what is not named is answered with success.

    `heard` collects the lines of the client, `mails` what came between DATA and its end, dots and all.
    """

    replies: Mapping[str, str] = field(default_factory=dict)
    offers: Sequence[str] = ("8BITMIME", "SIZE 10000000")
    tls: Literal["", "starttls", "ssl"] = ""
    heard: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    secured: int = 0
    connections: int = 0
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)


_SUCCESS = {"BANNER": "220 ready", "DATA": "354 go on", "QUIT": "221 bye", "AUTH": "235 welcome", "STARTTLS": "220 go"}


class _Conversation(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        script: Script = self.server.script  # type: ignore[attr-defined]  # set beside the server
        script.connections += 1
        try:
            self._converse(script)
        except (OSError, _LeaveError):
            return

    def _converse(self, script: Script) -> None:
        if script.tls == "ssl":
            self._secure(script)
        self._answer(script, "BANNER")
        while line := self.rfile.readline().decode().strip():
            script.heard.append(line)
            verb = line.split()[0].upper()
            self._answer(script, verb)
            if verb == "STARTTLS":
                self._secure(script)
            if verb == "DATA":
                self._read_mail(script)
            if verb == "QUIT":
                return

    def _answer(self, script: Script, verb: str) -> None:
        reply = script.replies.get(verb, _SUCCESS.get(verb, "250 fine"))
        if reply == LATE:
            script.over.wait(LATE_SECONDS)
            reply = _SUCCESS.get(verb, "250 fine")
        if reply == SILENCE:
            script.over.wait(30)
        elif reply == DRIP:
            while not script.over.wait(0.05):
                self.wfile.write(b"2")
        elif reply == HANG_UP:
            raise _LeaveError
        elif verb == "EHLO" and verb not in script.replies:
            offers = [*script.offers, *(["STARTTLS"] if script.tls == "starttls" and not script.secured else [])]
            lines = [*(f"250-{line}" for line in ["localhost", *offers[:-1]]), f"250 {offers[-1]}"]
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
        else:
            self.wfile.write(reply.encode() + b"\r\n")

    def _read_mail(self, script: Script) -> None:
        if script.replies.get("DATA", "354").startswith("354"):
            lines = iter(self.rfile.readline, b".\r\n")
            script.mails.append(b"".join(lines))
            self._answer(script, "DATA-END")

    def _secure(self, script: Script) -> None:
        self.connection = _server_context().wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = socketserver._SocketWriter(self.connection)
        script.secured += 1

    def finish(self) -> None:
        self.connection.close()


class _LeaveError(Exception):
    """The script says to hang up."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def trusting_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


@contextmanager
def scripted_server(script: Script) -> Iterator[Script]:
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        server.script = script  # type: ignore[attr-defined]  # how a handler finds it
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield script
        finally:
            script.over.set()
            server.shutdown()
            thread.join(5)
