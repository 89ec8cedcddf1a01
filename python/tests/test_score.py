"""Scores and corpora against their definitions, in numpy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from conftest import assert_close

import multivec


def unit(rng, rows, dim):
    found = rng.normal(size=(rows, dim)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(7)
    documents = [unit(rng, rows, 48) for rows in (5, 1, 0, 300, 17, 64)]
    return unit(rng, 9, 48), documents


def plain(query, document):
    if not len(document):
        return 0.0
    return (query.astype(np.float64) @ document.astype(np.float64).T).max(axis=1).sum()


def test_max_sim_is_the_plain_sum(vectors):
    query, documents = vectors
    expected = np.array([plain(query, one) for one in documents])
    for threads in (None, 1, 3):
        found = multivec.max_sim(query, documents, threads=threads)
        assert found.dtype == np.float32
        assert np.abs(found - expected).max() < 1e-4
    rows = np.concatenate(documents)
    offsets = np.cumsum([0, *(len(one) for one in documents)])
    flat = multivec.max_sim(query, (rows, offsets))
    assert np.array_equal(flat, multivec.max_sim(query, documents))
    arrow = pa.array([one.tolist() for one in documents], pa.large_list(pa.list_(pa.float32(), 48)))
    assert np.array_equal(multivec.max_sim(query, arrow), flat)


def test_many_views_of_one_array():
    rng = np.random.default_rng(3)
    rows = unit(rng, 3000, 16)
    query = unit(rng, 4, 16)
    views = [rows[start : start + 3] for start in range(2998)]
    expected = [plain(query, one) for one in views]
    assert np.abs(multivec.max_sim(query, views) - expected).max() < 1e-4


def test_vectors_of_other_layouts_and_types(vectors):
    query, documents = vectors
    expected = multivec.max_sim(query, documents)
    turned = [np.asfortranarray(one) for one in documents]
    assert np.array_equal(multivec.max_sim(np.asfortranarray(query), turned), expected)
    wide = [one.astype(np.float64) for one in documents]
    assert np.array_equal(multivec.max_sim(query.astype(np.float64), wide), expected)
    lists = [one.tolist() if len(one) else one for one in documents]
    assert np.array_equal(multivec.max_sim(query.tolist(), lists), expected)
    strided = np.repeat(documents[3], 2, axis=0)[::2]
    assert np.array_equal(multivec.max_sim(query, [strided]), expected[3:4])


def test_rank_keeps_the_order_of_ties(vectors):
    query, documents = vectors
    twice = [documents[0], documents[3], documents[0]]
    found = multivec.rank(query, twice)
    assert [hit.index for hit in found] == [1, 0, 2]
    assert found[1].score == found[2].score
    assert len(multivec.rank(query, twice, top_k=1)) == 1
    assert multivec.rank(query, []) == []


def test_similarity_is_of_all_pairs(vectors):
    query, documents = vectors
    queries = [query, query[:3]]
    expected = [[plain(one, other) for other in documents] for one in queries]
    assert_close(multivec.similarity(queries, documents), np.array(expected, np.float32), 1e-4)
    assert multivec.similarity(query, documents[3]).shape == (1, 1)
    pairs = multivec.similarity_pairwise(queries, documents[:2])
    assert_close(pairs, np.array([expected[0][0], expected[1][1]], np.float32), 1e-4)
    with pytest.raises(ValueError, match="2 documents, found 1"):
        multivec.similarity_pairwise(queries, documents[:1])


def test_matches_and_products(vectors):
    query, documents = vectors
    products = query @ documents[4].T
    assert_close(multivec.token_similarity(query, documents[4]), products, 1e-5)
    found = multivec.matches(query, documents[4])
    assert np.array_equal(found.rows, products.argmax(axis=1))
    assert_close(found.scores, products.max(axis=1), 1e-5)
    assert multivec.matches(query, documents[2]).rows.tolist() == [-1] * len(query)


def test_bad_vectors_are_refused(vectors):
    query, documents = vectors
    cases = [
        (lambda: multivec.max_sim(query, [np.zeros((2, 47))]), "dimension_mismatch"),
        (lambda: multivec.max_sim(query, [np.full((2, 48), np.nan)]), "non_finite_vector"),
        (lambda: multivec.max_sim(query * np.inf, documents), "invalid_option"),
        (lambda: multivec.max_sim(query, (documents[3], [0, 301])), "invalid_option"),
        (lambda: multivec.max_sim(query, (documents[3], [5, 2])), "invalid_option"),
        (lambda: multivec.max_sim(query, (documents[3], [-1, 2])), "invalid_option"),
        (lambda: multivec.max_sim(query, pa.array(["text"])), "invalid_input"),
        (lambda: multivec.pool([documents[0]], 0), "invalid_option"),
    ]
    for call, code in cases:
        with pytest.raises(multivec.EncoderError) as error:
            call()
        assert error.value.code == code
    with pytest.raises((TypeError, ValueError)):
        multivec.max_sim(query, ["text"])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "bits"])
def test_a_corpus_finds_what_plain_scores_find(dtype, tmp_path):
    rng = np.random.default_rng(3)
    documents = [unit(rng, 12, 64) for _ in range(200)]
    # A query of noisy rows of one document.
    queries = [documents[at][:6] + 0.05 * unit(rng, 6, 64) for at in (7, 150)]
    ids = [f"text {at}" for at in range(200)]
    corpus = multivec.Corpus(documents, ids=ids, dtype=dtype)
    assert len(corpus) == 200 and corpus.rows == 2400
    assert corpus.dim == 64 and corpus.dtype == dtype
    path = tmp_path / "texts.corpus"
    corpus.save(path)
    opened = multivec.Corpus.open(path)
    opened.save(path)
    for one in (corpus, opened, multivec.Corpus.open(path)):
        found = one.search_many(queries, 5)
        assert [hits[0].index for hits in found] == [7, 150]
        assert found[0][0].id == "text 7" and len(found[0]) == 5
        assert [hit.score for hit in found[0]] == sorted(
            (hit.score for hit in found[0]), reverse=True
        )
        assert one.search(queries[0], 5) == found[0]
    if dtype == "float32":
        expected = np.array([plain(queries[0], document) for document in documents])
        assert np.abs(found[0][0].score - expected.max()) < 1e-4
    among = corpus.positions(["text 3", "text 150", "unknown"])
    assert among == [3, 150]
    assert {hit.index for hit in corpus.search(queries[0], 5, among=among)} == {3, 150}
    with pytest.raises(multivec.EncoderError) as error:
        corpus.search(queries[0], 5, among=[200])
    assert error.value.code == "invalid_option"


def test_a_corpus_of_another_space_is_refused(tiny, tmp_path):
    documents = tiny.encode_document(["Bees make honey.", "Paris is in France."])
    corpus = multivec.Corpus(documents, fingerprint=tiny.fingerprint)
    assert corpus.space == tiny.fingerprint.space
    query = tiny.encode_query("honey")
    assert corpus.search(query, 1, fingerprint=tiny.fingerprint)[0].id in ("0", "1")
    other = multivec.Fingerprint("f" * 64, "")
    with pytest.raises(multivec.EncoderError) as error:
        corpus.search(query, 1, fingerprint=other)
    assert error.value.code == "fingerprint_mismatch"
    with pytest.raises(multivec.EncoderError, match="ids"):
        multivec.Corpus(documents, ids=["one"])
    with pytest.raises(multivec.EncoderError, match="dtype"):
        multivec.Corpus(documents, dtype="int4")
    (tmp_path / "no corpus").write_bytes(b"something else")
    with pytest.raises(multivec.EncoderError) as error:
        multivec.Corpus.open(tmp_path / "no corpus")
    assert error.value.code == "invalid_file"


def test_reciprocal_rank_fusion():
    found = multivec.reciprocal_rank_fusion([[3, 1, 2], [1, 4]])
    assert [hit.index for hit in found] == [1, 3, 4, 2]
    assert found[0].score == pytest.approx(1 / 62 + 1 / 61, abs=1e-7)


def test_ranking_by_text(demo):
    documents = ["Bees make honey from nectar.", "Paris is the capital of France."]
    assert demo.rank("Which animal makes honey?", documents)[0].index == 0
    found = demo.rank("the capital of France", demo.encode_document(documents))
    assert found[0].index == 1
    matched = demo.matches("honey", documents[0])
    assert len(matched.rows) == len(demo.encode_query("honey"))
    assert demo.similarity(demo.encode_query(["honey"]), demo.encode_document(documents)).shape == (
        1,
        2,
    )
