"""The recipes of docs/recipes on tables that the command line writes, as a user
runs them, against our own search."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

import multivec

RECIPES = ROOT / "docs" / "recipes"
QUERIES = ["Which animal makes honey?", "How do vaccines work?", "Why is the sky blue?"]
#: Of the order of the first three, which stores may break otherwise.
TOLERANCE = 2e-3


@pytest.fixture(scope="module")
def texts():
    lines = (ROOT / "models" / "demo-corpus.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip()][:60]


@pytest.fixture(scope="module")
def table(tmp_path_factory, texts, demo_folder):
    """Encodes documents or queries into a table of a precision."""
    folder = tmp_path_factory.mktemp("tables")
    for kind, lines in (("document", texts), ("query", QUERIES)):
        ids = [f"{kind}-{at}" for at in range(len(lines))]
        pq.write_table(pa.table({"id": ids, "text": lines}), folder / f"{kind}-texts.parquet")

    def write(kind, precision="f32"):
        out = folder / f"{kind}-{precision}.parquet"
        if not out.exists():
            command = os.environ["MULTIVEC_COMMAND"]
            source = folder / f"{kind}-texts.parquet"
            files = ["--model", demo_folder, "--input", source, "--output", out]
            options = ["--kind", kind, "--store", precision, "--keep", "text"]
            subprocess.run(
                [command, "encode", *files, *options],
                check=True,
                timeout=600,
                env={**os.environ, "ORT_DYLIB_PATH": library()},
            )
        return out

    return write


def library():
    from multivec import _runtime

    return os.environ.get("ORT_DYLIB_PATH") or _runtime.library()


def run(recipe, *arguments):
    """What a recipe prints."""
    command = [sys.executable, RECIPES / recipe, *arguments]
    done = subprocess.run(command, check=True, timeout=600, stdout=subprocess.PIPE)
    return done.stdout.decode()


@pytest.fixture(scope="module")
def read():
    """Documents of a table, as the recipes read them."""
    sys.path.insert(0, str(RECIPES))
    try:
        import vectors
    finally:
        sys.path.remove(str(RECIPES))
    return lambda table: list(vectors.documents(str(table)))


def test_tables_are_the_encoder_s_vectors(table, read, texts, demo):
    exact = demo.encode_document(texts)
    found = read(table("document"))
    assert [columns["text"] for columns, _ in found] == texts
    for (_, one), other in zip(found, exact, strict=True):
        assert np.array_equal(one, other)
    for (_, one), other in zip(read(table("document", "f16")), exact, strict=True):
        assert np.array_equal(one, other.astype(np.float16).astype(np.float32))
    for (_, one), other in zip(read(table("document", "int8")), exact, strict=True):
        step = np.abs(other).max(axis=1, keepdims=True) / 127
        assert (np.abs(one - other) <= 0.51 * step).all()
    for (_, one), other in zip(read(table("document", "bits")), exact, strict=True):
        signs = np.where(other < 0, -1, 1) / np.sqrt(other.shape[1])
        assert np.allclose(one, signs, rtol=1e-6)


@pytest.mark.parametrize("recipe", ["qdrant.py", "lancedb_table.py"])
def test_stores_find_what_we_find(recipe, table, read):
    documents = [vectors for _, vectors in read(table("document"))]
    lines = run(recipe, table("document"), table("query")).splitlines()
    found = [line.split("\t") for line in lines]
    assert len(found) == 3 * len(QUERIES)
    for at, (_, query) in enumerate(read(table("query"))):
        scores = multivec.max_sim(query, documents)
        best = np.sort(scores)[::-1]
        for place, (of, number, name, score) in enumerate(found[3 * at : 3 * at + 3]):
            assert (of, int(number)) == (f"query-{at}", place + 1)
            expected = scores[int(name.removeprefix("document-"))]
            assert abs(expected - best[place]) <= TOLERANCE
            assert abs(float(score) - expected) <= TOLERANCE


def test_flat_arrays_for_plaid(table, read, tmp_path):
    run("plaid.py", table("document"), tmp_path)
    documents = read(table("document"))
    flat = np.load(tmp_path / "embeddings.npy")
    lengths = np.load(tmp_path / "lengths.npy")
    parts = np.split(flat, lengths.cumsum()[:-1])
    for part, (_, vectors) in zip(parts, documents, strict=True):
        assert np.array_equal(part, vectors.astype(np.float16))
    ids = (tmp_path / "ids.txt").read_text(encoding="utf-8").splitlines()
    assert ids == [columns["id"] for columns, _ in documents]


def test_an_index_of_these_arrays(table, read, tmp_path):
    from pylate import indexes

    run("plaid.py", table("document"), tmp_path / "arrays")
    flat = np.load(tmp_path / "arrays" / "embeddings.npy").astype(np.float32)
    lengths = np.load(tmp_path / "arrays" / "lengths.npy")
    index = indexes.PLAID(
        index_folder=str(tmp_path), index_name="index", override=True, device="cpu"
    )
    index.add_documents(
        documents_ids=(tmp_path / "arrays" / "ids.txt").read_text().splitlines(),
        documents_embeddings=np.split(flat, lengths.cumsum()[:-1]),
    )
    documents = read(table("document"))
    queries = [vectors for _, vectors in read(table("query"))]
    for query, hits in zip(queries, index(queries_embeddings=queries, k=5), strict=True):
        best = multivec.rank(query, [vectors for _, vectors in documents], top_k=1)[0]
        assert documents[best.index][0]["id"] in [hit["id"] for hit in hits]


@pytest.mark.parametrize("precision", ["f32", "bits"])
def test_bulk_files(precision, table, read):
    documents = read(table("document", precision))
    vespa = [json.loads(line) for line in bulk("vespa", table("document", precision))]
    assert len(vespa) == len(documents)
    elastic = [json.loads(line) for line in bulk("elasticsearch", table("document", precision))]
    assert len(elastic) == 2 * len(documents)
    actions, sources = elastic[::2], elastic[1::2]
    for (columns, vectors), line, action, source in zip(documents, vespa, actions, sources):
        assert line["put"] == f"id:documents:document::{columns['id']}"
        assert action == {"index": {"_index": "documents", "_id": columns["id"]}}
        assert line["fields"]["text"] == source["text"] == columns["text"]
        blocks = line["fields"]["embedding"]["blocks"]
        assert list(blocks) == [str(at) for at in range(len(vectors))]
        if precision == "f32":
            assert np.array_equal(np.array(list(blocks.values()), np.float32), vectors)
            assert np.array_equal(np.array(source["embedding"], np.float32), vectors)
            continue
        # Of both stores the first column is the highest bit.
        of_vespa = [np.frombuffer(bytes.fromhex(one), np.uint8) for one in blocks.values()]
        of_elastic = np.array(source["embedding"], np.int8).view(np.uint8)
        for signs in (np.array(of_vespa), of_elastic):
            assert np.array_equal(np.unpackbits(signs, axis=1), vectors > 0)


def bulk(store, table):
    return run("bulk.py", store, table).splitlines()
