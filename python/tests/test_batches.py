"""Arrow batches, for engines that call a function on each."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
from conftest import FIXTURES

import multivec

TINY = FIXTURES / "tiny-bert"
TEXTS = [f"passage {at} about subject {at % 7}" for at in range(50)]


@pytest.fixture()
def table():
    return pa.table({"id": range(50), "text": TEXTS})


def rows(table):
    return [np.array(one.as_py(), np.float32) for one in table["embedding"]]


def test_columns_are_added_and_others_kept(table, tiny):
    encode = multivec.Encode(TINY, precision="fp32", rows=8)
    found = encode(table)
    assert found.column_names == ["id", "text", "embedding", "truncated"]
    assert found["id"].to_pylist() == list(range(50))
    assert pa.types.is_large_list(found.schema.field("embedding").type)
    assert found["truncated"].to_pylist() == [False] * 50
    for one, other in zip(rows(found), tiny.encode_document(TEXTS)):
        assert np.abs(one - other).max() < 1e-6


def test_batches_do_not_matter(table, demo_folder):
    whole = multivec.Encode(demo_folder)(table)
    encode = multivec.Encode(demo_folder, rows=7)
    parts = pa.Table.from_batches(list(encode.map(table.to_batches(max_chunksize=20))))
    assert parts.num_rows == 50
    for one, other in zip(rows(whole), rows(parts)):
        assert np.array_equal(one, other)


def test_record_batches_and_empty_tables(table):
    encode = multivec.Encode(TINY, precision="fp32", truncated=None)
    batch = table.to_batches()[0]
    found = encode(batch)
    assert isinstance(found, pa.RecordBatch) and found.num_rows == 50
    empty = encode(table.slice(0, 0))
    assert empty.num_rows == 0 and empty.schema == encode(table).schema
    assert encode(batch.slice(0, 0)).schema == found.schema


@pytest.mark.parametrize(
    ("dtype", "names"),
    [
        ("float16", ["embedding"]),
        ("int8", ["embedding", "embedding_scale"]),
        ("bits", ["embedding"]),
    ],
)
def test_precisions(dtype, names, table, tiny):
    encode = multivec.Encode(TINY, precision="fp32", dtype=dtype, truncated=None)
    found = encode(table)
    assert found.column_names[2:] == names
    expected = tiny.encode_document(TEXTS)
    for at, one in enumerate(found["embedding"]):
        values = np.array(one.as_py())
        if dtype == "float16":
            assert np.abs(values - expected[at]).max() < 1e-3
        elif dtype == "int8":
            scales = np.array(found["embedding_scale"][at].as_py())
            assert np.abs(values * scales[:, None] - expected[at]).max() < 0.01
        else:
            signs = np.unpackbits(values.astype(np.uint8), axis=1, bitorder="little")
            other = np.unpackbits(values.astype(np.uint8), axis=1, bitorder="big")
            positive = expected[at] > 0
            assert (signs == positive).all() or (other == positive).all()


def test_nulls_stay_nulls(table):
    texts = pa.table({"text": ["a", None, "b"]})
    found = multivec.Encode(TINY, precision="fp32")(texts)
    assert found["embedding"].null_count == 1
    assert found["truncated"].to_pylist() == [False, None, False]


def test_the_model_is_loaded_where_it_is_used(table):
    encode = multivec.Encode(TINY, precision="fp32")
    before = pickle.dumps(encode)
    encode(table)
    assert len(pickle.dumps(encode)) == len(before) < 2000
    assert pickle.loads(before)(table).num_rows == 50


def test_other_kinds_of_models(table):
    dense = multivec.Encode(FIXTURES / "hub" / "dense-bert-cls", precision="fp32")(table)
    assert pa.types.is_fixed_size_list(dense.schema.field("embedding").type)
    sparse = multivec.Encode(FIXTURES / "hub" / "sparse-bert-splade", precision="fp32")(table)
    assert pa.types.is_struct(sparse.schema.field("embedding").type)


def test_wrong_tables_are_refused(table):
    encode = multivec.Encode(TINY, column="body", precision="fp32")
    with pytest.raises(multivec.EncoderError, match="one of id, text"):
        encode(table)
    encode = multivec.Encode(TINY, output="id", precision="fp32")
    with pytest.raises(multivec.EncoderError, match="new name"):
        encode(table)
    with pytest.raises(TypeError, match="found dict"):
        encode({"text": ["a"]})
    with pytest.raises(multivec.EncoderError, match="rows"):
        multivec.Encode(TINY, rows=0)
