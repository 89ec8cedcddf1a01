"""Adds embeddings to a Parquet folder with Daft: `python daft_encode.py MODEL IN OUT`."""

from __future__ import annotations

import sys

import daft
import pyarrow as pa

import multivec


@daft.cls
class Encoder:
    """Loads the model once in each worker."""

    def __init__(self, model: str, threads: int = 1) -> None:
        self._encoder = multivec.Encoder(model, threads=threads)

    @daft.method.batch(
        return_dtype=daft.DataType.list(daft.DataType.fixed_size_list(daft.DataType.float32(), 128))
    )
    def encode(self, texts: daft.Series) -> pa.Array:
        """Embeddings of a batch of texts."""
        return self._encoder.encode_document(texts.to_arrow(), output="arrow")


def main(model: str, source: str, target: str) -> None:
    encoder = Encoder(model)
    table = daft.read_parquet(f"{source}/*.parquet")
    found = table.with_column("embedding", encoder.encode(table["text"]))
    found.write_parquet(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
