"""The development mailbox: catches every mail, so that none leaves the machine."""

from __future__ import annotations

from functools import partial

from compose.local import probes
from compose.local.parts import Kind, Launch, Part
from compose.local.paths import PYTHON
from compose.local.ports import LOOPBACK
from compose.local.site import Site


def _prepare(site: Site) -> Launch:
    options = {
        "--host": LOOPBACK,
        "--smtp-port": str(site.ports["MAILBOX_SMTP_PORT"]),
        "--http-port": str(site.ports["MAILBOX_PORT"]),
        "--data": str(site.instance.data / "mailbox.sqlite"),
    }
    return Launch((str(PYTHON), "-m", "compose.mailbox", *(word for pair in options.items() for word in pair)))


def part(site: Site) -> Part:
    port = site.ports["MAILBOX_PORT"]
    return Part(
        name="mailbox",
        kind=Kind.SERVER,
        address=f"http://{LOOPBACK}:{port}  smtp :{site.ports['MAILBOX_SMTP_PORT']}",
        prepare=partial(_prepare, site),
        probe=probes.readyz(LOOPBACK, port),
        grace=3.0,
    )
