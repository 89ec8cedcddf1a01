"""The example for Spark, as a user runs it. Needs Java 17."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from conftest import ROOT

TEXTS = [f"passage {at} about subject {at % 7}" for at in range(40)]


def test_the_example_encodes_a_folder(tmp_path, demo_folder, demo):
    source = tmp_path / "texts"
    source.mkdir()
    pq.write_table(pa.table({"id": range(40), "text": TEXTS}), source / "0.parquet")
    target = tmp_path / "embeddings"
    program = ROOT / "python" / "examples" / "spark_encode.py"
    subprocess.run(
        [sys.executable, program, demo_folder, source, target],
        check=True,
        timeout=600,
        cwd=tmp_path,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
    )
    found = pq.read_table(target).sort_by("id")
    assert found["text"].to_pylist() == TEXTS
    assert found["truncated"].to_pylist() == [False] * 40
    for one, other in zip(found["embedding"], demo.encode_document(TEXTS)):
        assert np.array_equal(np.array(one.as_py(), np.float32), other)
