"""What the page says about the system: its six buttons and when to use which protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Button:
    """`form` names the fields that the button sends; ids and labels are those of the original system's page."""

    id: str
    label: str
    way: str
    protocol: str
    form: str | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    key: str
    name: str
    use: str
    price: str
    seen: str


BUTTONS = (
    Button("brokerBtn", "Test Broker", "HTTP to the broker and back", "http"),
    Button("authBrokerBtn", "Test Auth", "HTTP to auth, checked in PostgreSQL", "http", "authForm"),
    Button("logBtn", "Test Log", "JSON-RPC to the logger, into MongoDB", "rpc", "logForm"),
    Button("logRBtn", "Test Log via RabbitMQ", "AMQP to the worker, into MongoDB", "amqp", "logForm"),
    Button("logGBtn", "Test Log via gRPC", "gRPC to the logger, into MongoDB", "grpc", "logForm"),
    Button("mailBtn", "Test Mail", "HTTP to the mailer, SMTP to the mailbox", "http", "mailForm"),
)

GUIDE = (
    Protocol(
        "http",
        "HTTP + JSON",
        "Strangers call you: browsers, partners, curl at three in the morning. Every tool can read it.",
        "The most bytes and parsing per call, and no types unless you write a schema beside it.",
        "Test Broker, Test Auth, Test Mail",
    ),
    Protocol(
        "rpc",
        "JSON-RPC",
        "Two services of one team, one open connection, many small calls. Go programs speak it out of the box.",
        "Nothing built in for deadlines, streaming or identity: you agree on all of it yourselves.",
        "Test Log",
    ),
    Protocol(
        "grpc",
        "gRPC",
        "Hot paths and mixed languages: typed messages, deadlines, streams, and stubs made from one file.",
        "Generated code and HTTP/2 everywhere, and you cannot read the traffic with the naked eye.",
        "Test Log via gRPC",
    ),
    Protocol(
        "amqp",
        "AMQP",
        "The caller need not wait, or several parts want to hear the news. Work survives while the reader is down.",
        "You only learn that it is queued. The effect comes later, may come twice, and queues want watching.",
        "Test Log via RabbitMQ",
    ),
)
