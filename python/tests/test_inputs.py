"""Nulls, empty texts, lengths, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from conftest import assert_close

import multivec


@pytest.mark.parametrize("door", [list, pa.array, lambda texts: np.array(texts, dtype=object)])
def test_a_null_gives_a_null(tiny, door):
    texts = door(["one", None, "two"])
    found = tiny.encode_document(texts)
    assert found[1] is None
    assert_close(found[0], tiny.encode_document("one"))
    assert_close(found[2], tiny.encode_document("two"))
    flat = tiny.encode_document(texts, output="flat")
    assert flat.offsets[1] == flat.offsets[2]
    arrow = tiny.encode_document(texts, output="arrow")
    assert [one is None for one in arrow.to_pylist()] == [False, True, False]
    embeddings = tiny.encode_document(texts, output="embeddings")
    assert embeddings[1] is None and embeddings[2].shape == found[2].shape
    tokens = tiny.tokens(texts)
    assert tokens[1] is None and tokens[0].tokens


def test_arrays_of_nulls_alone(tiny):
    assert tiny.encode_document(pa.nulls(2)) == [None, None]
    assert tiny.encode_document([None]) == [None]


def test_empty_texts_have_the_rows_of_their_special_tokens(tiny):
    for text in ("", "   ", "\n"):
        found = tiny.encode_document(text)
        assert found.shape[1] == tiny.dim and found.shape[0] >= 1
        assert np.isfinite(found).all()


def test_no_texts(tiny):
    assert tiny.encode_document([]) == []
    assert tiny.encode_query(pa.array([], pa.string())) == []
    flat = tiny.encode_document([], output="flat")
    assert flat.values.shape == (0, tiny.dim) and flat.offsets.tolist() == [0]
    assert len(tiny.encode_document([], output="arrow")) == 0


def test_order_does_not_depend_on_length(tiny):
    texts = ["word " * count for count in (1, 60, 3, 40, 2, 0, 25)]
    found = tiny.encode_document(texts)
    for text, one in zip(texts, found):
        assert_close(one, tiny.encode_document(text))


@pytest.mark.parametrize(
    "texts", [["a", 1], [b"a"], [["a"]], np.array([1, 2]), 7, b"bytes", {"a": 1}.items()]
)
def test_what_is_no_text_is_refused(tiny, texts):
    with pytest.raises((TypeError, multivec.EncoderError)) as error:
        tiny.encode_document(texts)
    assert "found" in str(error.value)


def test_arrow_arrays_of_other_types_are_refused(tiny):
    with pytest.raises(multivec.EncoderError) as error:
        tiny.encode_document(pa.array([1, 2]))
    assert "Int64" in str(error.value)
    with pytest.raises(multivec.EncoderError, match="dimension"):
        tiny.encode_document(np.array([["a", "b"]]))


def test_long_texts_are_cut_or_refused(tiny):
    long = "word " * 500
    found = tiny.encode_document(long, output="embeddings")
    assert found.truncation.dropped > 0 and found.truncation.kept > 0
    with pytest.raises(multivec.EncoderError) as error:
        tiny.encode_document(["short", long], truncation="error")
    assert error.value.code == "text_too_long" and "text 1" in str(error.value)
    short = tiny.encode_document(long, document_length=8)
    assert len(short) < len(found)


def test_tokens_are_places_in_the_text(tiny):
    text = "naïve Zoë 日本 text"
    found = tiny.tokens(text, "query")
    spans = [token.span for token in found.tokens if token.role == "text"]
    assert spans and all(0 <= start < end <= len(text) for start, end in spans)
    assert found.tokens[0].role == "special"
    assert any(token.role == "prefix" and token.span is None for token in found.tokens)
    embedding = tiny.encode_document("good bread", output="embeddings")
    words = {
        "good bread"[slice(*token.span)] for row in embedding.tokens for token in row if token.span
    }
    assert "".join(sorted("".join(words))) == "".join(sorted("goodbread"))
    pooled = embedding.pooled(2)
    assert sum(len(row) for row in pooled.tokens) == len(embedding)


def test_unknown_options_are_named(tiny):
    with pytest.raises(TypeError, match="pool_factors"):
        tiny.encode_document("a", pool_factors=2)
    with pytest.raises(TypeError, match="treads"):
        multivec.Encoder("folder", treads=2)
    with pytest.raises(multivec.EncoderError) as error:
        tiny.encode_document("a", pool_factor=0)
    assert error.value.code == "invalid_option"
    with pytest.raises(multivec.EncoderError, match="truncation"):
        tiny.encode_document("a", truncation="cut")
    with pytest.raises(TypeError, match="output"):
        tiny.encode_document("a", output="torch")
