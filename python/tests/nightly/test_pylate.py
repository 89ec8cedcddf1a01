"""PyLate's own index and reranking on our vectors."""

from __future__ import annotations

import numpy as np
import torch
from conftest import ROOT
from pylate import indexes, rank

import multivec
from multivec.pylate import ColBERT

TEXTS = (ROOT / "models" / "demo-corpus.txt").read_text(encoding="utf-8").splitlines()
QUERIES = ["Which animal makes honey?", "How do vaccines work?", "Why is the sky blue?"]


def test_reranking(demo_folder):
    model = ColBERT(demo_folder)
    queries = model.encode(QUERIES, is_query=True)
    documents = model.encode([TEXTS[:8], TEXTS[8:16], TEXTS[16:24]], is_query=False)
    ids = [list(range(8)), list(range(8, 16)), list(range(16, 24))]
    found = rank.rerank(
        documents_ids=ids, queries_embeddings=queries, documents_embeddings=documents
    )
    for query, these, hits, numbers in zip(queries, documents, found, ids):
        expected = multivec.rank(query, these)
        assert [hit["id"] for hit in hits] == [numbers[hit.index] for hit in expected]
        scores = [hit["score"] for hit in hits]
        assert np.allclose(scores, [hit.score for hit in expected], atol=1e-4)


def test_plaid(demo_folder, tmp_path):
    model = ColBERT(demo_folder)
    documents = model.encode(TEXTS, is_query=False)
    index = indexes.PLAID(
        index_folder=str(tmp_path), index_name="index", override=True, device="cpu"
    )
    index.add_documents(
        documents_ids=[str(at) for at in range(len(TEXTS))], documents_embeddings=documents
    )
    queries = model.encode(QUERIES, is_query=True)
    found = index(queries_embeddings=queries, k=5)
    for query, hits in zip(queries, found):
        exact = multivec.rank(query, documents, top_k=1)[0]
        assert str(exact.index) in [hit["id"] for hit in hits]


def test_tensors(demo_folder):
    model = ColBERT(demo_folder)
    arrays = model.encode(QUERIES, is_query=True)
    tensors = model.encode(QUERIES, is_query=True, convert_to_tensor=True)
    for array, tensor in zip(arrays, tensors):
        assert isinstance(tensor, torch.Tensor)
        assert np.array_equal(array, tensor.numpy())
