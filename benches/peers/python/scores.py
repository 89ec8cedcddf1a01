"""MaxSim of multivec beside other libraries, in turns: `cargo xtask bench scores`.

    python scores.py OUTPUT.json [--threads N] [--quick]

Each library has a process of its own and is timed inside it. Scores are compared
with the definition before anything is timed. Tables of other numbers of threads
that are in OUTPUT.json stay.
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scorers import SCORERS

#: Documents, and rows of each.
SHAPES = [(1000, 300), (1000, 60), (100, 300), (20_000, 60)]
QUERY_ROWS, COLUMNS = 32, 128
ROUNDS = 11
#: Threads of other libraries spin for a while after a call.
PAUSE = 0.1
#: How far a score may be from the definition, as a part of the largest one.
TOLERANCE = {"float16": 1e-3, "int8": 0.01, "bits": 0.01}
EXACT = 1e-5


class Scorer:
    """A process with one library."""

    def __init__(self, name, threads):
        variables = ("OMP", "OPENBLAS", "MKL", "RAYON", "BLIS")
        limits = {f"{one}_NUM_THREADS": str(threads) for one in variables}
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("scorers.py"), name, str(threads)],
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


def unit(generator, *shape):
    found = generator.standard_normal(shape, dtype=np.float32)
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    return found


def expected(documents, query, dtype):
    """The definition, a part of the documents at a time."""
    found = []
    for part in np.array_split(documents, max(1, len(documents) // 500)):
        rows = np.where(part < 0, -1.0, 1.0) / np.sqrt(COLUMNS) if dtype == "bits" else part
        products = rows.astype(np.float64) @ query.T.astype(np.float64)
        found.append(products.max(axis=1).sum(axis=1))
    return np.concatenate(found)


def compare(scorer, documents, query):
    dtype = scorer.name.partition(", ")[2]
    wanted = expected(documents, query, dtype)
    found = np.array(scorer.ask(scores=None)["scores"])
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    # Written so that a NaN is refused too.
    if not error <= TOLERANCE.get(dtype, EXACT):
        raise SystemExit(f"{scorer.name}: scores are off by {error:.2e} of the largest")


def measure(shape, names, threads, rounds):
    """Milliseconds of each library, a list each."""
    generator = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("documents.npy", "query.npy")]
        documents = unit(generator, *shape, COLUMNS)
        query = unit(generator, QUERY_ROWS, COLUMNS)
        np.save(files[0], documents)
        np.save(files[1], query)
        scorers = [Scorer(name, threads) for name in names]
        for scorer in scorers:
            scorer.ask(open=str(files[0]), query=str(files[1]))
            compare(scorer, documents, query)
        times = {name: [] for name in names}
        # The first round warms up.
        for turn in range(rounds + 1):
            for at in range(len(scorers)):
                scorer = scorers[(at + turn) % len(scorers)]
                time.sleep(PAUSE)
                seconds = scorer.ask(run=None)["seconds"]
                if turn > 0:
                    times[scorer.name].append(1e3 * seconds)
        for scorer in scorers:
            scorer.close()
    return times


def three(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(threads, rounds, found):
    """Medians, and how many times as fast as the best of the others."""
    medians = {
        shape: {name: float(np.median(times)) for name, times in one.items()}
        for shape, one in found.items()
    }
    others = [name for name in next(iter(medians.values())) if not name.startswith("multivec")]
    rows = []
    for name in next(iter(medians.values())):
        cells = [name]
        for of_shape in medians.values():
            best = min(of_shape[other] for other in others)
            cells.append(f"{three(of_shape[name])} ({best / of_shape[name]:.1f})")
        rows.append(cells)
    return {
        "title": f"{threads} {'thread' if threads == 1 else 'threads'}",
        "columns": ["ms (ratio)", *(f"{count:,} × {rows}" for count, rows in found)],
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else ROUNDS
    missing = [name for name, (package, _) in SCORERS.items() if not is_installed(package)]
    names = [name for name in SCORERS if name not in missing]
    if all(name.startswith("multivec") for name in names):
        raise SystemExit("expected another library beside multivec, found none")
    found = {}
    for shape in SHAPES:
        found[shape] = measure(shape, names, arguments.threads, rounds)
        for name, times in found[shape].items():
            print(f"{shape[0]} x {shape[1]}, {name}: {np.median(times):.2f} ms", flush=True)
    one = table(arguments.threads, rounds, found)
    known = []
    if arguments.output.exists():
        known = json.loads(arguments.output.read_text(encoding="utf-8"))["tables"]
    tables = [other for other in known if other["title"] != one["title"]] + [one]
    result = {
        "origin": origin(arguments.quick),
        "tables": sorted(tables, key=lambda one: -int(one["title"].split()[0])),
        "missing": [f"{name}: {SCORERS[name][0]} is not installed" for name in missing],
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1), encoding="utf-8")


def is_installed(package):
    return importlib.util.find_spec(package) is not None


if __name__ == "__main__":
    main()
