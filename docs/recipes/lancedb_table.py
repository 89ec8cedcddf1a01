"""LanceDB: the table as it is, searched with MaxSim.

    multivec encode … --store f16 --output documents.parquet
    multivec encode … --kind query --output queries.parquet
    python lancedb_table.py documents.parquet queries.parquet
"""

from __future__ import annotations

import sys
import tempfile

import lancedb
import pyarrow.parquet as pq
from vectors import documents, name


def main(table: str, queries: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = lancedb.connect(folder)
        file = pq.ParquetFile(table)
        # Batch by batch; nulls, which have no vectors, are left to the table.
        rows = database.create_table("documents", file.iter_batches(1024), schema=file.schema_arrow)
        for columns, query in documents(queries):
            # Multi-vectors are compared by cosine, which is what MaxSim sums.
            search = rows.search(query, vector_column_name="embedding").metric("cosine")
            found = search.limit(3).to_list()
            for place, document in enumerate(found, 1):
                score = len(query) - document["_distance"]
                print(name(columns), place, name(document), f"{score:.3f}", sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
