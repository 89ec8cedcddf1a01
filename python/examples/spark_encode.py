"""Adds embeddings to a Parquet folder with Spark: `python spark_encode.py MODEL IN OUT`."""

from __future__ import annotations

import sys

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, BooleanType, FloatType, StructType

import multivec


def main(model: str, source: str, target: str) -> None:
    spark = SparkSession.builder.getOrCreate()
    texts = spark.read.parquet(source)
    encode = multivec.Encode(model, column="text", threads=1)
    # Spark knows lists of lists, of variable length and with 32-bit offsets.
    vectors = pa.list_(pa.list_(pa.float32()))

    def batches(iterator):
        for batch in encode.map(iterator):
            at = batch.schema.get_field_index("embedding")
            yield batch.set_column(at, "embedding", batch.column(at).cast(vectors))

    # A list of its own, which grows.
    schema = StructType(list(texts.schema.fields))
    schema.add("embedding", ArrayType(ArrayType(FloatType()))).add("truncated", BooleanType())
    texts.mapInArrow(batches, schema).write.parquet(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
