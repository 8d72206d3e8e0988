"""Packages are fetched once, without root; what goes wrong is said in words. `apt-get` and `dpkg` are stand-ins here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compose.local import debs, tools
from compose.local.parts import PrepareError

APT = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
  *update*) {update} ;;
  *-s\\ --no-install*) echo "Inst libfoo (1)"; echo "Inst adduser (3)"; echo "Inst foo (1)"; echo "Conf foo (1)" ;;
  *download*) {download} ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/lib/x86_64-linux-gnu" && touch "$3/usr/lib/x86_64-linux-gnu/$(basename "$2")"
"""
FETCH = "touch foo.deb libfoo.deb"
# as with lists of the host that name versions the mirror no longer has
FETCH_WITH_OWN_LISTS = f'case "$*" in *Dir::State::lists*) {FETCH} ;; *) echo "404 Not Found" >&2; exit 100 ;; esac'
FAIL = 'echo "E: no network" >&2; exit 100'


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Puts stand-ins on PATH; call it with what `download` and `update` do. Returns the calls of apt-get."""
    monkeypatch.setattr(debs, "APT", tmp_path / "apt")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def provide(download: str, update: str = "true") -> Path:
        log = tmp_path / "calls"
        for name, text in (("apt-get", APT.format(log=log, download=download, update=update)), ("dpkg", DPKG)):
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)
        return log

    return provide


def test_packages_are_unpacked_with_what_they_need_and_without_what_only_packaging_wants(host):
    calls = host(FETCH)

    root = debs.unpacked("foo", ("foo",))

    assert {path.name for path in debs.lib_folders(root)[0].iterdir()} == {"foo.deb", "libfoo.deb"}
    assert "download libfoo foo\n" in calls.read_text()


def test_the_second_time_nothing_is_fetched(host):
    calls = host(FETCH)
    debs.unpacked("foo", ("foo",))
    before = calls.read_text()

    debs.unpacked("foo", ("foo",))

    assert calls.read_text() == before
    assert debs.is_unpacked("foo")


def test_stale_package_lists_of_the_host_are_replaced_by_own_ones(host):
    calls = host(FETCH_WITH_OWN_LISTS)

    debs.unpacked("foo", ("foo",))

    assert "update" in calls.read_text()
    assert debs.is_unpacked("foo")


@pytest.mark.parametrize(("update", "complaint"), [(FAIL, "apt-get update failed"), ("true", "download failed")])
def test_without_network_the_reason_is_given_and_nothing_half_done_stays(host, update, complaint):
    host(FAIL, update)

    with pytest.raises(PrepareError, match=f"{complaint}: E: no network"):
        debs.unpacked("foo", ("foo",))

    assert not debs.is_unpacked("foo")


def test_a_system_without_apt_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(debs, "APT", tmp_path / "apt")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PrepareError, match="no apt-get: please install rabbitmq-server"):
        debs.unpacked("rabbitmq", ("rabbitmq-server",))


def test_tools_on_path_are_used_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "LOCAL", tmp_path)
    monkeypatch.setattr(tools, "TOOLS_ENV", tmp_path / "tools.env")
    monkeypatch.setattr(tools, "go", lambda: {"GO": "/bin/sh"})
    monkeypatch.setattr(tools, "chromium", lambda: "/bin/sh")
    monkeypatch.setattr(tools, "wrk", lambda: "/bin/sh")

    assert tools.known() == {"GO": "", "CHROMIUM": "", "WRK": ""}
    assert tools.provide() == 0
    assert tools.known() == {"GO": "/bin/sh", "CHROMIUM": "/bin/sh", "WRK": "/bin/sh"}
