"""Multi-vectors of a table that `multivec encode --output x.parquet` has written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq


def metadata(path: str) -> dict[str, str]:
    """What the vectors are of: `kind`, `space`, `precision`, `dim` and so on."""
    found = pq.read_schema(path).metadata or {}
    start = b"multivec."
    return {
        key.removeprefix(start).decode(): value.decode()
        for key, value in found.items()
        if key.startswith(start)
    }


def documents(path: str, rows: int = 1024) -> Iterator[tuple[dict, np.ndarray]]:
    """The columns of each document, and its vectors, `[rows, dim]`, in 32-bit
    floats. Documents whose text was null are left out."""
    facts = metadata(path)
    dim, precision = int(facts["dim"]), facts["precision"]
    for batch in pq.ParquetFile(path).iter_batches(rows):
        names = [name for name in batch.schema.names if not name.startswith("embedding")]
        others = batch.select(names).to_pylist()
        lists = batch.column("embedding")
        values = lists.values.flatten().to_numpy(zero_copy_only=False)
        values = values.reshape(len(lists.values), -1)
        if precision == "int8":
            scales = batch.column("embedding_scale").values.to_numpy()
            values = values * scales[:, None]
        elif precision == "bits":
            bits = np.unpackbits(values, axis=1, bitorder="little")[:, :dim]
            values = (2.0 * bits - 1) / np.sqrt(dim)
        values = values.astype(np.float32)
        offsets = lists.offsets.to_numpy()
        for at, columns in enumerate(others):
            if lists[at].is_valid:
                yield columns, values[offsets[at] : offsets[at + 1]]


def name(columns: dict) -> str:
    """The id of a document, or its position."""
    found = columns.get("id")
    return str(columns["index"] if found is None else found)
