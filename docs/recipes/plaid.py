"""PLAID: the flat arrays that indexers take, as NumPy files.

    multivec encode … --output documents.parquet
    python plaid.py documents.parquet FOLDER

Writes `embeddings.npy`, `[rows of all documents, dim]` in 16-bit floats;
`lengths.npy`, the rows of each document; `ids.txt`, a line each. A document's
vectors are those between the sums of the lengths before and after it. next-plaid
takes both arrays as they are; PyLate's `indexes.PLAID.add_documents` and
fast-plaid take a list of arrays: `numpy.split(embeddings, lengths.cumsum()[:-1])`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from vectors import documents, metadata, name


def main(table: str, folder: str) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    dim = int(metadata(table)["dim"])
    lengths, ids = [], []
    for columns, vectors in documents(table):
        lengths.append(len(vectors))
        ids.append(name(columns))
    # Mapped, so that memory does not hold them.
    flat = open_memmap(
        out / "embeddings.npy", mode="w+", dtype=np.float16, shape=(sum(lengths), dim)
    )
    end = 0
    for _, vectors in documents(table):
        flat[end : end + len(vectors)] = vectors
        end += len(vectors)
    flat.flush()
    np.save(out / "lengths.npy", np.array(lengths, dtype=np.int64))
    (out / "ids.txt").write_text("".join(f"{it}\n" for it in ids), encoding="utf-8")
    print(len(ids), end, pq.read_metadata(table).num_rows - len(ids), sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
