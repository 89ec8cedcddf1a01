"""Scores of multi-vectors: MaxSim, and what is behind it.

Vectors are numpy arrays of 32-bit floats, ``[tokens, dim]``; those are read in
place, and no other thread may write into them during a call. Others are converted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _native
from .embedding import FloatArray

#: Multi-vectors of several documents: a sequence of ``[tokens, dim]``, a pair of
#: rows and offsets such as :class:`multivec.Flat`, or an Arrow array of lists of
#: fixed-size lists.
Documents = Any


@dataclass(frozen=True)
class Ranked:
    """A document of a ranking."""

    #: Its position among the documents.
    index: int
    score: float


class Matches(NamedTuple):
    """What each row of a query matches best in a document."""

    #: ``[query rows]``, int64: a row of the document; -1 if it has none.
    rows: npt.NDArray[np.int64]
    #: ``[query rows]``: the dot product of the two rows.
    scores: FloatArray


def rows(vectors: Any) -> FloatArray:
    """One multi-vector as the native module reads it."""
    found: FloatArray = np.ascontiguousarray(vectors, dtype=np.float32)
    return np.zeros((0, 0), np.float32) if found.size == 0 and found.ndim == 1 else found


def documents(vectors: Documents) -> Any:
    """Several multi-vectors as the native module reads them."""
    if isinstance(vectors, tuple) and len(vectors) == 2 and np.ndim(vectors[1]) == 1:
        values, offsets = vectors
        return rows(values), np.ascontiguousarray(offsets, dtype=np.int64)
    if hasattr(vectors, "__arrow_c_array__") or hasattr(vectors, "__arrow_c_stream__"):
        return _native.flat_of_arrow(vectors)
    return [rows(one) for one in vectors]


def max_sim(query: Any, documents: Documents, *, threads: int | None = None) -> FloatArray:
    """The MaxSim score of each document: for each row of the query the largest dot
    product with a row of the document, summed. A document without rows has 0.

    Args:
        query: ``[query tokens, dim]``.
        documents: Several ``[tokens, dim]``, see :data:`Documents`.
        threads: All cores where that pays, by default.

    Returns:
        ``[documents]``.

    Raises:
        EncoderError: ``"dimension_mismatch"`` if rows differ in length,
            ``"non_finite_vector"`` for a document with NaN or infinity.
    """
    return _native.max_sim(rows(query), _documents(documents), threads)


_documents = documents


def rank(
    query: Any, documents: Documents, *, top_k: int | None = None, threads: int | None = None
) -> list[Ranked]:
    """Documents by descending score; equal scores keep the documents' order."""
    scores = max_sim(query, documents, threads=threads)
    order = np.argsort(-scores, kind="stable")[:top_k]
    return [Ranked(int(at), float(scores[at])) for at in order]


def similarity(queries: Any, documents: Documents, *, threads: int | None = None) -> FloatArray:
    """MaxSim of all queries with all documents, ``[queries, documents]``.

    Either can be one multi-vector, ``[tokens, dim]``, as in sentence-transformers.
    """
    many = _documents(_several(documents))
    found = [_native.max_sim(rows(query), many, threads) for query in _several(queries)]
    count = len(many[1]) - 1 if isinstance(many, tuple) else len(many)
    return np.stack(found) if found else np.zeros((0, count), np.float32)


def similarity_pairwise(queries: Any, documents: Any) -> FloatArray:
    """MaxSim of each query with the document at its place, ``[pairs]``.

    Raises:
        ValueError: If there are not as many queries as documents.
    """
    queries, documents = _several(queries), _several(documents)
    if len(queries) != len(documents):
        raise ValueError(f"expected {len(queries)} documents, found {len(documents)}")
    scores = [max_sim(one, [other])[0] for one, other in zip(queries, documents)]
    return np.array(scores, np.float32)


def token_similarity(query: Any, document: Any) -> FloatArray:
    """The dot products of all rows, ``[query tokens, document tokens]``."""
    return _native.similarity(rows(query), rows(document))


def matches(query: Any, document: Any) -> Matches:
    """For each row of the query the row of the document with the largest dot
    product, the first of equals."""
    return Matches(*_native.matches(rows(query), rows(document)))


def pool(embeddings: Iterable[Any], factor: int, protected_tokens: int = 1) -> list[FloatArray]:
    """Pools the rows of each multi-vector to about one in ``factor``, by
    hierarchical clustering, as PyLate does.

    Args:
        embeddings: Several ``[tokens, dim]``.
        factor: ``n`` rows become ``n // factor``, but at least 1.
        protected_tokens: Rows at the start that are never merged.
    """
    found = (_native.Embedding.of_rows(rows(one)) for one in embeddings)
    return [one.pooled(factor, protected_tokens).vectors() for one in found]


def reciprocal_rank_fusion(rankings: Iterable[Iterable[int]], offset: float = 60.0) -> list[Ranked]:
    """One ranking of several, each a list of documents, the best first.

    Source: Cormack, Clarke and Büttcher 2009.
    """
    lists = [list(ranking) for ranking in rankings]
    return [Ranked(*found) for found in _native.reciprocal_rank_fusion(lists, offset)]


def _several(vectors: Any) -> Sequence[Any] | Any:
    return [vectors] if isinstance(vectors, np.ndarray) and vectors.ndim == 2 else vectors
