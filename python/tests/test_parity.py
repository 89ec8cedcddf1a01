"""The vectors of PyLate and sentence-transformers, through every door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from conftest import FIXTURES, assert_all_close, assert_close

import multivec
from multivec.pylate import ColBERT

MULTI_VECTOR = [
    "tiny-bert",
    "tiny-modernbert",
    *sorted(f"hub/{one.name}" for one in (FIXTURES / "hub").glob("mv-*")),
]

#: References that were computed in 16 bits.
TOLERANCES = {"hub/mv-pylate-modernbert-f16": 5e-3}


@pytest.mark.parametrize("engine", ["onnxruntime", "tract"])
@pytest.mark.parametrize("name", MULTI_VECTOR)
def test_every_layout_on_every_engine(name, engine, reference):
    expected = reference(name)
    encoder = multivec.Encoder(
        expected.folder, precision="fp16" if "f16" in name else "fp32", engine=engine
    )
    assert encoder.info["engine"].lower().replace(" ", "").startswith(engine)
    for task, texts in (("query", expected.queries), ("document", expected.documents)):
        found = encoder.encode(texts, task=task)
        wanted = expected.expected(task)
        assert len(found) == len(wanted) > 0
        for one, other in zip(found, wanted):
            assert_close(one, other, TOLERANCES.get(name, 1e-5))


DOORS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "numpy objects": lambda texts: np.array(texts, dtype=object),
    "arrow": pa.array,
    "arrow, large": lambda texts: pa.array(texts, pa.large_string()),
    "arrow, view": lambda texts: pa.array(texts, pa.string_view()),
    "arrow, dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "arrow, sliced": lambda texts: pa.array(["before", *texts, "after"])[1:-1],
    "arrow, chunked": lambda texts: pa.chunked_array([texts[:2], [], texts[2:]]),
    "polars": pl.Series,
}


@pytest.mark.parametrize("door", DOORS)
def test_every_kind_of_input(door, tiny, reference):
    expected = reference("tiny-bert")
    found = tiny.encode_document(DOORS[door](expected.documents))
    assert_all_close(found, expected.expected("document"))


def test_every_form_of_output(tiny, reference):
    expected = reference("tiny-bert")
    wanted = expected.expected("document")
    flat = tiny.encode_document(expected.documents, output="flat")
    assert flat.offsets.dtype == np.int64
    assert_all_close(np.split(flat.values, flat.offsets[1:-1]), wanted)

    arrow = tiny.encode_document(expected.documents, output="arrow")
    assert arrow.type == pa.large_list(
        pa.list_(pa.field("item", pa.float32(), False), tiny.dim)
    ) or (pa.types.is_large_list(arrow.type) and arrow.type.value_type.list_size == tiny.dim)
    found = [np.array(one.as_py(), np.float32).reshape(-1, tiny.dim) for one in arrow]
    assert_all_close(found, wanted)

    embeddings = tiny.encode_document(expected.documents, output="embeddings")
    assert_all_close([one.vectors for one in embeddings], wanted)
    for one in embeddings:
        assert len(one.tokens) == len(one) == one.shape[0]

    halves = tiny.encode_document(expected.documents, dtype="float16")
    for one, other in zip(halves, wanted):
        assert one.dtype == np.float16
        assert np.abs(one.astype(np.float32) - other).max() < 1e-3
    assert pa.types.is_float16(
        tiny.encode_document(["a"], output="arrow", dtype="float16").type.value_type.value_type
    )


def test_one_text_is_one_array(tiny, reference):
    expected = reference("tiny-bert")
    assert_close(tiny.encode_query(expected.queries[0]), expected.expected("query")[0])
    assert_close(tiny.encode_document(expected.documents[0]), expected.expected("document")[0])


@pytest.mark.parametrize("factor", [2, 3])
def test_pooling(factor, tiny, reference):
    expected = reference("tiny-bert")
    wanted = [
        expected.tensors[f"documents.{at}.pool{factor}"] for at in range(len(expected.documents))
    ]
    assert_all_close(tiny.encode_document(expected.documents, pool_factor=factor), wanted)
    whole = tiny.encode_document(expected.documents)
    assert_all_close(multivec.pool(whole, factor), wanted)
    assert_all_close(tiny.pool(whole, factor), wanted)


def test_query_expansion_can_be_turned_off(tiny, reference):
    expected = reference("tiny-bert")
    wanted = [expected.tensors[f"queries.{at}.no_expansion"] for at in range(len(expected.queries))]
    assert_all_close(tiny.encode_query(expected.queries, query_expansion=False), wanted)


def test_pylates_names(reference):
    expected = reference("tiny-bert")
    model = ColBERT(FIXTURES / "tiny-bert", device="cpu", precision="fp32")
    queries = model.encode(expected.queries, is_query=True, batch_size=2)
    assert_all_close(queries, expected.expected("query"))
    documents = model.encode(expected.documents, is_query=False, show_progress_bar=False)
    assert_all_close(documents, expected.expected("document"))
    assert_close(model.encode(expected.queries[0]), expected.expected("query")[0])
    pooled = model.encode(expected.documents, is_query=False, pool_factor=2)
    wanted = [expected.tensors[f"documents.{at}.pool2"] for at in range(len(documents))]
    assert_all_close(pooled, wanted)
    nested = model.encode([expected.documents[:2], expected.documents[2:3]], is_query=False)
    assert [len(batch) for batch in nested] == [2, 1]
    assert_close(nested[1][0], expected.expected("document")[2])
    padded = model.encode(expected.documents, is_query=False, padding=True)
    longest = max(len(one) for one in documents)
    for one, other in zip(padded, documents):
        assert one.shape == (1, longest, model.encoder.dim)
        assert_close(one[0, : len(other)], other)
        assert not one[0, len(other) :].any()
    assert model.query_length == model.encoder.info["query_length"]
    assert model.get_sentence_embedding_dimension() == 32
    for argument in ({"precision": "int8"}, {"prompt": "text: "}, {"output_value": None}):
        with pytest.raises(multivec.EncoderError) as error:
            model.encode(["a"], **argument)
        assert error.value.code == "invalid_option"


def test_int8_is_close_to_fp32(demo, reference):
    expected = reference("minilm-colbert")
    found = demo.encode_document(expected.documents)
    cosines = []
    for one, other in zip(found, expected.expected("document")):
        assert one.shape == other.shape
        cosines.extend((one * other).sum(axis=1))
    assert np.mean(cosines) >= 0.998


def test_a_path_is_taken_as_str_and_as_path():
    folder = FIXTURES / "tiny-bert"
    one = multivec.Encoder(str(folder), precision="fp32")
    other = multivec.Encoder(Path(folder), precision="fp32")
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint.space) > 16
