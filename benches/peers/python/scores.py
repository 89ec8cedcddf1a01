"""MaxSim of multivec beside other libraries, in turns: `cargo xtask bench scores`.

    python scores.py OUTPUT.json [--threads N] [--quick]

Each library has a process of its own and is timed inside it. Scores are compared
with the definition before anything is timed. Tables of other numbers of threads
that are in OUTPUT.json stay.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from scorers import SCORERS
from turns import Library, in_turns, installed, table, threads_title, write

#: Documents, and rows of each.
SHAPES = [(1000, 300), (1000, 60), (100, 300), (20_000, 60)]
QUERY_ROWS, COLUMNS = 32, 128
ROUNDS = 11
#: How far a score may be from the definition, as a part of the largest one.
TOLERANCE = {"float16": 1e-3, "int8": 0.01, "bits": 0.01}
EXACT = 1e-5


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
        script = Path(__file__).with_name("scorers.py")
        scorers = [Library(script, name, threads) for name in names]
        for scorer in scorers:
            scorer.ask(open=str(files[0]), query=str(files[1]))
            compare(scorer, documents, query)
        times = in_turns(scorers, rounds)
        for scorer in scorers:
            scorer.close()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else ROUNDS
    names, missing = installed({name: package for name, (package, _) in SCORERS.items()})
    found = {}
    for shape in SHAPES:
        found[shape] = measure(shape, names, arguments.threads, rounds)
        for name, times in found[shape].items():
            print(f"{shape[0]} x {shape[1]}, {name}: {np.median(times):.2f} ms", flush=True)
    columns = [f"{count:,} × {rows}" for count, rows in found]  # noqa: RUF001
    title = threads_title(arguments.threads)
    one = table(title, columns, list(found.values()), rounds)
    write(arguments.output, [one], missing, arguments.quick)


if __name__ == "__main__":
    main()
