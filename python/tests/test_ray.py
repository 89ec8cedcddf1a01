"""A local cluster of two worker processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import multivec

ray = pytest.importorskip("ray")

import multivec.ray  # noqa: E402

TEXTS = [f"passage {at} about subject {at % 11} and place {at % 5}" for at in range(240)]


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


def write_shards(folder: Path, shards: int) -> None:
    folder.mkdir()
    for shard in range(shards):
        texts = TEXTS[shard::shards]
        table = pa.table({"id": range(shard, len(TEXTS), shards), "text": texts})
        pq.write_table(table, folder / f"part-{shard:02}.parquet")


def test_a_pool_of_actors_gives_what_one_process_gives(cluster, tmp_path, demo_folder):
    write_shards(tmp_path / "texts", 4)
    found = multivec.ray.encode(
        ray.data.read_parquet(str(tmp_path / "texts")),
        demo_folder,
        column="text",
        concurrency=2,
        batch_size=32,
    )
    found.write_parquet(str(tmp_path / "embeddings"))
    table = pq.read_table(tmp_path / "embeddings").sort_by("id")
    assert table["id"].to_pylist() == list(range(len(TEXTS)))
    assert table["text"].to_pylist() == TEXTS
    expected = multivec.Encode(demo_folder)(pa.table({"text": TEXTS}))
    for one, other in zip(table["embedding"], expected["embedding"]):
        assert np.array_equal(one.as_py(), other.as_py())
    assert table["truncated"].to_pylist() == [False] * len(TEXTS)


def test_a_model_that_does_not_load_fails_the_job(cluster, tmp_path):
    write_shards(tmp_path / "texts", 1)
    found = multivec.ray.encode(
        ray.data.read_parquet(str(tmp_path / "texts")), tmp_path / "nowhere" / "at" / "all"
    )
    with pytest.raises(Exception, match="nowhere"):
        found.materialize()
