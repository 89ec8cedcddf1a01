"""The example for Daft, as a user runs it."""

from __future__ import annotations

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
    for shard in range(2):
        table = pa.table({"id": range(shard, 40, 2), "text": TEXTS[shard::2]})
        pq.write_table(table, source / f"{shard}.parquet")
    target = tmp_path / "embeddings"
    program = ROOT / "python" / "examples" / "daft_encode.py"
    subprocess.run(
        [sys.executable, program, demo_folder, source, target],
        check=True,
        timeout=300,
        cwd=tmp_path,
    )
    found = pq.read_table(target).sort_by("id")
    assert found["text"].to_pylist() == TEXTS
    for one, other in zip(found["embedding"], demo.encode_document(TEXTS)):
        assert np.array_equal(np.array(one.as_py(), np.float32), other)
