"""Dense and sparse encoders, and rerankers, against sentence-transformers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from conftest import FIXTURES, assert_close

import multivec

HUB = FIXTURES / "hub"


def names(prefix):
    return sorted(one.name for one in HUB.glob(f"{prefix}-*") if (one / "reference.json").exists())


@pytest.mark.parametrize("name", names("dense"))
def test_dense(name, reference):
    expected = reference(f"hub/{name}")
    encoder = multivec.DenseEncoder(expected.folder, precision="fp32")
    for key, encode in (("queries", encoder.encode_query), ("documents", encoder.encode_document)):
        found = encode(getattr(expected, key))
        wanted = expected.tensors[key]
        assert found.shape == wanted.shape
        cosines = (found * wanted).sum(axis=1)
        cosines /= np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        assert cosines.min() > 1 - 1e-5
        assert np.array_equal(encode(getattr(expected, key)[0]).shape, (encoder.dim,))
    with_null = encoder.encode_document(["a", None])
    assert np.isnan(with_null[1]).all() and np.isfinite(with_null[0]).all()
    arrow = encoder.encode_document(["a", None], output="arrow")
    assert arrow.type.list_size == encoder.dim and arrow.null_count == 1


def test_dense_similarity_and_dimensions():
    encoder = multivec.DenseEncoder(HUB / "dense-bert-cls", precision="fp32")
    texts = ["Bees make honey.", "Paris is in France."]
    vectors = encoder.encode_document(texts)
    found = encoder.similarity(vectors, vectors)
    assert found.shape == (2, 2) and np.abs(np.diag(found) - 1).max() < 1e-5
    assert encoder.rank(vectors[1], vectors)[0][0] == 1
    by_text = encoder.rank(texts[1], texts)
    expected = encoder.similarity(encoder.encode_query(texts[1]), vectors)[0]
    assert [at for at, _ in by_text] == list(np.argsort(-expected, kind="stable"))
    short = encoder.encode_document(texts, dimensions=4)
    assert_close(short, vectors[:, :4], 1e-6)
    with pytest.raises(multivec.EncoderError, match="dimensions"):
        encoder.encode_document(texts, dimensions=encoder.dim + 1)


@pytest.mark.parametrize("name", names("sparse"))
def test_sparse(name, reference):
    expected = reference(f"hub/{name}")
    encoder = multivec.SparseEncoder(expected.folder, precision="fp32")
    for key, encode in (("queries", encoder.encode_query), ("documents", encoder.encode_document)):
        texts, wanted = getattr(expected, key), expected.tensors[key]
        for one, row in zip(encode(texts), wanted):
            whole = np.zeros_like(row)
            whole[one.indices] = one.values
            assert np.abs(whole - row).max() < 4e-5
            assert (np.diff(one.indices.astype(np.int64)) > 0).all()
    one = encoder.encode_document("honey")
    decoded = encoder.decode(one)
    assert len(decoded) == len(one.indices)
    assert [weight for _, weight in decoded] == sorted((w for _, w in decoded), reverse=True)
    top = one.top_k(3)
    assert len(top.indices) == 3 and top.values.min() >= np.sort(one.values)[-3]
    assert one.dot(one) == pytest.approx(float((one.values**2).sum()), rel=1e-5)
    found = encoder.encode_document(["a", None])
    assert found[1] is None and found[0] is not None
    assert encoder.encode_document(["a", None], output="arrow").null_count == 1


@pytest.mark.parametrize("name", names("rerank"))
def test_rerankers(name, reference):
    expected = reference(f"hub/{name}")
    encoder = multivec.CrossEncoder(expected.folder, precision="fp32")
    logits, scores = expected.tensors["logits"], expected.tensors["scores"]
    for at, query in enumerate(expected.queries):
        found = encoder.predict([(query, document) for document in expected.documents])
        assert found.logits.shape == (len(expected.documents), encoder.dim)
        assert np.abs(found.logits[:, 0] - logits[at]).max() < 1e-5 * max(1, np.abs(logits).max())
        assert np.abs(found.scores[:, 0] - scores[at]).max() < 1e-5
        ranked = encoder.rank(query, expected.documents)
        assert [hit.score for hit in ranked] == sorted((h.score for h in ranked), reverse=True)
        assert {hit.index for hit in ranked} == set(range(len(expected.documents)))
        assert len(encoder.rank(query, expected.documents, top_k=2)) == 2
    with pytest.raises(TypeError, match="found int"):
        encoder.predict([("a", 1)])
    with pytest.raises(multivec.EncoderError) as error:
        encoder.predict([("a", None)])
    assert error.value.code == "invalid_input"


def test_three_kinds_in_one_pass(reference):
    expected = reference("hub/hybrid-xlmr")
    encoder = multivec.HybridEncoder(expected.folder, precision="fp32")
    for key, encode in (("queries", encoder.encode_query), ("documents", encoder.encode_document)):
        found = encode(getattr(expected, key))
        assert len(found) > 1
        for at, one in enumerate(found):
            part = lambda name: expected.tensors[f"{key}.{at}.{name}"]  # noqa: B023, E731
            assert_close(one.dense, part("dense"))
            assert_close(one.multi_vector, part("tokens"))
            assert np.array_equal(one.sparse.indices, part("indices"))
            assert_close(one.sparse.values, part("values"))
    assert encoder.encode_query(["a", None])[1] is None
    with pytest.raises(multivec.EncoderError) as error:
        multivec.Encode(expected.folder, precision="fp32")(pa.table({"text": ["a"]}))
    assert error.value.code == "invalid_option"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tiny-bert", multivec.MultiVectorEncoder),
        ("hub/dense-bert-cls", multivec.DenseEncoder),
        ("hub/sparse-bert-splade", multivec.SparseEncoder),
        ("hub/rerank-bert", multivec.CrossEncoder),
    ],
)
def test_a_model_says_what_it_is(name, kind):
    model = multivec.load(FIXTURES / name, precision="fp32")
    assert type(model) is kind and model.kind == kind.KIND
    assert str(model.dim) in repr(model)
