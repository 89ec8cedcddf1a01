"""What a call of the package costs beside one of the crate: `cargo xtask bench
overhead`.

    python overhead.py PROGRAM MODEL CORPUS.txt

64 documents of 24 tokens, in turns, in two processes that run the same engine.
Prints JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import multivec

TEXTS = 64
TOKENS = 24
ROUNDS = 60
WARM_UP = 12


def texts(encoder: multivec.Encoder, source: Path) -> list[str]:
    """Words of the source, as many to a text as make so many rows."""
    words = itertools.cycle(source.read_text(encoding="utf-8").split())
    found = []
    while len(found) < TEXTS:
        text = next(words)
        while len(encoder.encode_document(longer := f"{text} {next(words)}")) <= TOKENS:
            text = longer
        found.append(text)
    return found


class Crate:
    def __init__(self, program: Path, model: str, documents: list[str], threads: int) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
            file.write("\n".join(documents))
        self._path = Path(file.name)
        self._process = subprocess.Popen(
            [program, model, file.name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
        self._path.unlink()


def package_seconds(encoder: multivec.Encoder, documents: list[str]) -> float:
    start = time.perf_counter()
    encoder.encode_document(documents)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("model")
    parser.add_argument("corpus", type=Path)
    arguments = parser.parse_args()
    found = []
    for threads in (2, 1):
        encoder = multivec.Encoder(arguments.model, threads=threads)
        documents = texts(encoder, arguments.corpus)
        crate = Crate(arguments.program, arguments.model, documents, threads)
        runs = [
            (crate.seconds(), package_seconds(encoder, documents))
            if turn % 2 == 0
            else (package_seconds(encoder, documents), crate.seconds())[::-1]
            for turn in range(WARM_UP + ROUNDS)
        ]
        crate.close()
        of_crate, of_package = np.array(runs[WARM_UP:]).T
        found.append(
            {
                "threads": threads,
                "crate_ms": 1e3 * float(np.median(of_crate)),
                "package_ms": 1e3 * float(np.median(of_package)),
                # Of a pair, since the machine's speed changes in between.
                "ratio": float(np.median(of_package / of_crate)),
                "least_ratio": float(of_package.min() / of_crate.min()),
            }
        )
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
