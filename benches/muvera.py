r"""Measures fixed dimensional encodings (MUVERA) of multi-vectors against exact
MaxSim, and prints how many of the exact best documents they find.

Source: Dhulipala et al., MUVERA, 2024 (arXiv 2405.19504): tokens fall into
2^k_sim partitions by the signs of random projections; queries sum the tokens of
a partition, documents average them, and empty partitions of documents take the
token whose signs differ least; tokens are multiplied by random signs, to dim_proj
columns; all that r_reps times. The first parameters are OpenSearch's defaults.

    multivec encode --kind document --input documents.jsonl --output d.safetensors
    multivec encode --kind query --input queries.jsonl --output q.safetensors
    python benches/muvera.py q.safetensors d.safetensors

Texts have to be without ids. Needs numpy alone.
"""

import json
import sys
from pathlib import Path

import numpy as np

PARAMETERS = [(4, 8, 20), (3, 8, 20), (5, 16, 20)]
SEEDS = [42, 1, 2]
DEPTH = 10
FIRST = [10, 50]


def read(path):
    content = Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    rows = []
    for name in sorted(header, key=int):
        begin, end = header[name]["data_offsets"]
        values = np.frombuffer(content[start + begin : start + end], dtype=np.float32)
        rows.append(values.reshape(header[name]["shape"]))
    return rows


class Encoder:
    def __init__(self, dim, parameters, seed):
        self.k_sim, dim_proj, repetitions = parameters
        random = np.random.default_rng(seed)
        self.parts = [
            (
                random.standard_normal((dim, self.k_sim)),
                random.choice([-1.0, 1.0], (dim, dim_proj)) / np.sqrt(dim_proj),
            )
            for _ in range(repetitions)
        ]
        self.codes = (np.arange(1 << self.k_sim)[:, None] >> np.arange(self.k_sim)) & 1

    def query(self, tokens):
        return np.concatenate([self.sums(tokens, *part)[0].ravel() for part in self.parts])

    def document(self, tokens):
        return np.concatenate([self.means(tokens, *part).ravel() for part in self.parts])

    def sums(self, tokens, planes, signs):
        bits = (tokens @ planes > 0).astype(np.int64)
        places = bits @ (1 << np.arange(self.k_sim))
        rows = tokens @ signs
        sums = np.zeros((len(self.codes), rows.shape[1]))
        np.add.at(sums, places, rows)
        return sums, bits, places, rows

    def means(self, tokens, planes, signs):
        sums, bits, places, rows = self.sums(tokens, planes, signs)
        counts = np.bincount(places, minlength=len(sums))
        sums[counts > 0] /= counts[counts > 0][:, None]
        for empty in np.flatnonzero(counts == 0):
            sums[empty] = rows[np.abs(bits - self.codes[empty]).sum(axis=1).argmin()]
        return sums


def recalls(exact, found):
    """Of the exact best those found, and the nearest among the first."""
    depth = min(DEPTH, exact.shape[1])
    pairs = list(zip(exact, found))
    shared = [len(set(one[:depth]) & set(other[:depth])) / depth for one, other in pairs]
    nearest = [np.mean([one[0] in other[:count] for one, other in pairs]) for count in FIRST]
    return [np.mean(shared), *nearest]


def ranking(scores):
    return np.argsort(-scores, axis=1, kind="stable")


def main():
    queries, documents = map(read, sys.argv[1:])
    exact = [[(query @ rows.T).max(axis=1).sum() for rows in documents] for query in queries]
    exact = ranking(np.array(exact))
    heads = [f"exact {DEPTH} found", *(f"nearest in {count}" for count in FIRST)]
    print(f"{len(documents)} documents, {len(queries)} queries: {', '.join(heads)}")
    dim = queries[0].shape[1]
    for parameters in PARAMETERS:
        found = []
        for seed in SEEDS:
            encoder = Encoder(dim, parameters, seed)
            left = np.array([encoder.query(rows) for rows in queries])
            right = np.array([encoder.document(rows) for rows in documents])
            found.append(recalls(exact, ranking(left @ right.T)))
        print(f"{parameters}, {right.shape[1]} columns:", np.mean(found, axis=0).round(3))
    left, right = (np.array([rows.mean(axis=0) for rows in texts]) for texts in (queries, documents))
    print(f"means of rows, {dim} columns:", np.round(recalls(exact, ranking(left @ right.T)), 3))


if __name__ == "__main__":
    main()
