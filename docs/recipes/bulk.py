"""Vespa and Elasticsearch: files of JSON lines for their bulk interfaces.

    multivec encode … --keep text --output documents.parquet
    python bulk.py vespa documents.parquet > feed.jsonl
    vespa feed feed.jsonl
    python bulk.py elasticsearch documents.parquet > bulk.jsonl
    curl -H 'Content-Type: application/x-ndjson' --data-binary @bulk.jsonl HOST/_bulk

Vespa: a field of type `tensor<int8>(token{}, v[DIM / 8])` for `--store bits`, which
Vespa packs with the first column in the highest bit, or `tensor<bfloat16>(token{},
v[DIM])` for other precisions. Elasticsearch: a field of type `rank_vectors`, with
`"element_type": "bit"` for bits; its requests have at most 100 MB, so split the
file at lines with `split -l` by an even number.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import numpy as np
from vectors import documents, metadata, name


def packed(vectors: np.ndarray) -> np.ndarray:
    """Signs as signed bytes, the first column in the highest bit."""
    return np.packbits(vectors >= 0, axis=1).view(np.int8)


def fields(columns: dict) -> dict:
    own = ("index", "id", "truncated")
    return {key: value for key, value in columns.items() if key not in own}


def vespa(table: str, are_bits: bool) -> Iterator[dict]:
    for columns, vectors in documents(table):
        if are_bits:
            blocks = {str(at): row.tobytes().hex() for at, row in enumerate(packed(vectors))}
        else:
            blocks = {str(at): row.tolist() for at, row in enumerate(vectors)}
        yield {
            "put": f"id:documents:document::{name(columns)}",
            "fields": {**fields(columns), "embedding": {"blocks": blocks}},
        }


def elasticsearch(table: str, are_bits: bool) -> Iterator[dict]:
    for columns, vectors in documents(table):
        rows = packed(vectors) if are_bits else vectors
        yield {"index": {"_index": "documents", "_id": name(columns)}}
        yield {**fields(columns), "embedding": rows.tolist()}


def main(store: str, table: str) -> None:
    lines = {"vespa": vespa, "elasticsearch": elasticsearch}[store]
    for line in lines(table, metadata(table)["precision"] == "bits"):
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
