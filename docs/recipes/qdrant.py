"""Qdrant: multi-vectors, searched with MaxSim.

    multivec encode … --output documents.parquet
    multivec encode … --kind query --output queries.parquet
    python qdrant.py documents.parquet queries.parquet

A point takes fewer than 1,048,576 numbers: 8,191 rows of 128 columns. Longer
documents become several points with the same `document`, which a search by
groups joins again. The best point of a group gives its score, which is less than
the MaxSim of the whole document where other points have better rows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from qdrant_client import QdrantClient, models
from vectors import documents, metadata, name

LARGEST = (1 << 20) - 1


def points(table: str, dim: int) -> Iterator[models.PointStruct]:
    most, number = LARGEST // dim, 0
    for columns, vectors in documents(table):
        for start in range(0, len(vectors), most):
            part = vectors[start : start + most]
            payload = {"document": name(columns), "first_row": start}
            yield models.PointStruct(id=number, vector=part.tolist(), payload=payload)
            number += 1


def main(table: str, queries: str, address: str = ":memory:") -> None:
    client = QdrantClient(address)
    dim = int(metadata(table)["dim"])
    client.create_collection(
        "documents",
        vectors_config=models.VectorParams(
            size=dim,
            distance=models.Distance.COSINE,
            multivector_config=models.MultiVectorConfig(
                comparator=models.MultiVectorComparator.MAX_SIM
            ),
            # MaxSim reranks or scans; a graph over all rows costs much and gains little.
            hnsw_config=models.HnswConfigDiff(m=0),
        ),
    )
    client.upload_points("documents", points(table, dim), batch_size=64, wait=True)
    for columns, query in documents(queries):
        found = client.query_points_groups(
            "documents", group_by="document", query=query.tolist(), limit=3, group_size=1
        )
        for place, group in enumerate(found.groups, 1):
            print(name(columns), place, group.id, f"{group.hits[0].score:.3f}", sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
