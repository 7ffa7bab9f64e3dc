"""The page of an hour's drill with a million requests: how large, how long to write, how long to open.

Writing is held against reading the sample files into columns once, and nothing more: what nobody can do without. Both
are told in seconds of the processor, which other work on the machine lengthens little. Opening is held against the same
page of a thousand requests. All are taken in turn, the best of each counts, and absolute figures are only reported (aim:
written in 3 s, opened in 1 s).
"""

from __future__ import annotations

import shutil
import time

import pytest

import page_runs
from debian import needs
from drillmark import pages, runs, samples
from drillmark.report import files

ROUNDS, OPENINGS = 9, 3
# The aim. The bare read takes 15 to 25 ms, and 3.2 to 4.9 was seen: a gate at the aim would fail by a few of them.
AIM_TIMES_READING = 5
TIMES_READING = 8
TIMES_SMALL = 2.0
MOST_BYTES = 3_000_000

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return {
        count: page_runs.store(tmp_path_factory.mktemp(f"hour{count}"), page_runs.hour(count))
        for count in (1_000, 1_000_000)
    }


def read(folder):
    for path in sorted((folder / "samples").iterdir()):
        samples.read(path)


def write(folder):
    entries, result = runs.read_exported(folder), files.read(folder)
    assert not pages.write_after_run(folder, entries)
    assert result is not None
    return (folder / pages.PAGE).stat().st_size


def test_writing_against_reading(stored, capsys):
    folder = stored[1_000_000]
    write(folder)  # imports what it needs
    reads, writes, walls, size = [], [], [], 0
    for _ in range(ROUNDS):
        began = time.process_time()
        read(folder)
        reads.append(time.process_time() - began)
        began, clock = time.process_time(), time.perf_counter()
        size = write(folder)
        writes.append(time.process_time() - began)
        walls.append(time.perf_counter() - clock)
    with capsys.disabled():
        print(
            f"\na page of a million requests: {size / 1e6:.2f} MB, written in {min(walls):.2f} s ({min(writes):.3f} s of the "
            f"processor); its samples are read in {min(reads):.3f} s: {min(writes) / min(reads):.1f} times that "
            f"(aim {AIM_TIMES_READING}, at most {TIMES_READING})"
        )
    assert size <= MOST_BYTES
    assert min(writes) <= TIMES_READING * min(reads)


@needs("chromium")
def test_opening_against_a_thousand_requests(stored, capsys):
    from playwright.sync_api import sync_playwright

    took = {count: [] for count in stored}
    for folder in stored.values():
        write(folder)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(OPENINGS + 1):  # the first is to warm up
            for count, folder in stored.items():
                page = chromium.new_page()
                page.set_default_timeout(60_000)
                began = time.perf_counter()
                page.goto((folder / pages.PAGE).as_uri())
                page.wait_for_function("document.documentElement.dataset.ready === 'yes'")
                took[count].append(time.perf_counter() - began)
                page.close()
        chromium.close()
    small, large = (min(took[count][1:]) for count in (1_000, 1_000_000))
    with capsys.disabled():
        print(f"\nopened: {large:.2f} s with a million requests, {small:.2f} s with a thousand")
    assert large <= TIMES_SMALL * small
