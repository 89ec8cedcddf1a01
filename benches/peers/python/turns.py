"""Libraries that are measured in turns, each in a process of its own, and the
tables of what was found.

A process reads one JSON object a line and answers with one; see `serve`.
"""

import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

#: Threads of other libraries spin for a while after a call.
PAUSE = 0.1
#: Where NumPy and others read how many threads they may use.
LIMITS = ("OMP", "OPENBLAS", "MKL", "RAYON", "BLIS")


class Library:
    """A process with one library: `python SCRIPT NAME THREADS`."""

    def __init__(self, script, name, threads):
        limits = {f"{one}_NUM_THREADS": str(threads) for one in LIMITS}
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, script, name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **limits},
        )

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        reply = json.loads(line) if line else {"failed": "its process has ended"}
        if "failed" in reply:
            raise SystemExit(f"{self.name}: {reply['failed']}")
        return reply

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(answer):
    """Answers until standard input ends: `answer` makes a reply of a request."""
    # What libraries print goes to standard error, so that it is in no reply.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # Whatever it is, it is the reply.
            reply = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


def seconds(run, *arguments):
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


def in_turns(libraries, rounds):
    """Milliseconds of each library for `{"run": null}`, a list each."""
    times = {library.name: [] for library in libraries}
    # The first round warms up.
    for turn in range(rounds + 1):
        for at in range(len(libraries)):
            library = libraries[(at + turn) % len(libraries)]
            time.sleep(PAUSE)
            found = library.ask(run=None)["seconds"]
            if turn > 0:
                times[library.name].append(1e3 * found)
    return times


def three(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(title, columns, found, rounds):
    """Medians of each column, and how many times as fast a row is as the best of the
    others."""
    medians = [{name: float(np.median(times)) for name, times in one.items()} for one in found]
    others = [name for name in medians[0] if not name.startswith("multivec")]
    rows = []
    for name in medians[0]:
        cells = [name]
        for one in medians:
            best = min(one[other] for other in others)
            cells.append(f"{three(one[name])} ({best / one[name]:.1f})")
        rows.append(cells)
    return {
        "title": title,
        "columns": ["ms (ratio)", *columns],
        "rows": rows,
        "note": f"Medians of {rounds} rounds in turns.",
    }


def origin(quick):
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in pairs}
    flags = fields.get("flags", fields.get("Features", "")).split()
    known = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI"}
    known |= {"avx_vnni": "AVX-VNNI", "asimddp": "NEON dot product"}
    found = [name for flag, name in known.items() if flag in flags]
    cpu = fields.get("model name", "an unknown CPU") + (f" ({', '.join(found)})" if found else "")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    system = f"{platform.system().lower()} {platform.machine()}"
    text = f"{today}; {cpu}, {os.cpu_count()} cores, {system}."
    return text + (" A quick run with few rounds, not to be quoted." if quick else "")


def installed(packages):
    """The libraries whose packages are there, and a line for each other one."""
    there = {name for name, package in packages.items() if importlib.util.find_spec(package)}
    missing = [
        f"{name}: {package} is not installed"
        for name, package in packages.items()
        if name not in there
    ]
    names = [name for name in packages if name in there]
    if all(name.startswith("multivec") for name in names):
        raise SystemExit("expected another library beside multivec, found none")
    return names, missing


def write(path, tables, missing, quick):
    """Tables of other titles that are in the file stay."""
    known = []
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))["tables"]
    titles = [one["title"] for one in tables]
    tables = [other for other in known if other["title"] not in titles] + tables
    result = {
        "origin": origin(quick),
        "tables": sorted(tables, key=lambda one: -int(one["title"].split()[0])),
        "missing": missing,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")


def threads_title(threads):
    return f"{threads} {'thread' if threads == 1 else 'threads'}"
