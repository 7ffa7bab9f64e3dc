"""A page as PDF, by a real Chromium; and every way in which that can fail."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from debian import needs
from drillmark import printing
from drillmark.errors import EXIT_INVALID, UsageError

PAGE = "<!DOCTYPE html><title>x</title><p>A page</p><script>document.body.append('drawn')</script>"


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "a page.html"
    path.write_text(PAGE)
    return path


def program(folder, script):
    path = folder / "chromium"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@needs("chromium")
def test_chromium_prints_a_page_and_leaves_nothing_behind(page, monkeypatch):
    made = []

    class Folder(tempfile.TemporaryDirectory):
        def __init__(self, **options):
            super().__init__(**options)
            made.append(Path(self.name))

    monkeypatch.setattr(tempfile, "TemporaryDirectory", Folder)
    content = printing.print_page(page)
    assert content.startswith(b"%PDF-")
    assert b"/Type /Page" in content
    assert len(made) == 1
    assert not made[0].exists()


def test_without_a_browser_a_clear_word_and_no_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs Chromium") as told:
        printing.browser()
    assert told.value.exit_code == EXIT_INVALID
    assert "install chromium" in told.value.hint


def test_a_browser_that_prints_nothing_is_quoted(page, tmp_path):
    with pytest.raises(UsageError, match="printed nothing: no usable sandbox"):
        printing.print_page(page, program=program(tmp_path, "echo 'no usable sandbox' >&2; exit 1"))


def test_what_is_no_pdf_is_not_taken_for_one(page, tmp_path):
    script = 'for each in "$@"; do case "$each" in --print-to-pdf=*) echo no > "${each#*=}";; esac; done'
    with pytest.raises(UsageError, match="is no PDF"):
        printing.print_page(page, program=program(tmp_path, script))


def test_a_browser_that_hangs_is_ended_with_all_that_it_started(page, tmp_path, monkeypatch):
    monkeypatch.setattr(printing, "_DEADLINE_SECONDS", 3.0)
    script = f"sleep 600 & echo $! > '{tmp_path}/pid'; wait"
    with pytest.raises(UsageError, match="did not print the page within 3 s"):
        printing.print_page(page, program=program(tmp_path, script))
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid), f"process {pid} is still there"


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_only_root_goes_without_the_sandbox(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert printing._as_root() == []
