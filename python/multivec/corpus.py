"""Corpora that are searched exactly, in memory or mapped from files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from . import _native
from .embedding import Fingerprint
from .score import Documents, rows
from .score import documents as _documents

Dtype = Literal["float32", "float16", "int8", "bits"]


@dataclass(frozen=True)
class Hit:
    """A document that a search has found."""

    #: Its position in the corpus.
    index: int
    #: Its id; its position where it was stored without one.
    id: str
    score: float


class Corpus:
    """Multi-vectors of documents, searched by MaxSim: every document is compared.

    For more than a few million documents take an index, such as PLAID, or a store
    that has one.
    """

    def __init__(
        self,
        documents: Documents,
        *,
        ids: Iterable[str] | None = None,
        dtype: Dtype = "float32",
        fingerprint: Fingerprint | str | None = None,
    ) -> None:
        """Stores vectors, which are copied.

        Args:
            documents: Several ``[tokens, dim]``, or rows and offsets.
            ids: One for each document; positions by default.
            dtype: ``int8`` has a scale for each row, ``bits`` the sign of each
                column.
            fingerprint: That of the encoder, so that queries of another space are
                refused.

        Raises:
            EncoderError: For rows of other lengths, numbers that are not finite,
                or another number of ids.
        """
        space = fingerprint.space if isinstance(fingerprint, Fingerprint) else fingerprint
        names = None if ids is None else [str(one) for one in ids]
        self._native = _native.Corpus.of(_documents(documents), names, dtype, space)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Corpus:
        """Opens a file, whose vectors are read when they are searched."""
        found = cls.__new__(cls)
        found._native = _native.Corpus.open(os.fspath(path))
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a file that ``multivec search --vectors`` and :meth:`open` read."""
        self._native.save(os.fspath(path))

    def search(
        self,
        query: Any,
        k: int = 10,
        *,
        among: Sequence[int] | None = None,
        fingerprint: Fingerprint | None = None,
        threads: int | None = None,
    ) -> list[Hit]:
        """The best ``k`` documents for a query, ``[tokens, dim]``; equal scores keep
        the documents' order.

        Args:
            query: ``[tokens, dim]``.
            k: Most documents to find.
            among: The only positions to search, such as the hits of another search.
            fingerprint: That of the query's encoder, which is then checked.
            threads: All cores where that pays, by default.
        """
        found = self.search_many([query], k, among=among, fingerprint=fingerprint, threads=threads)
        return found[0]

    def search_many(
        self,
        queries: Iterable[Any],
        k: int = 10,
        *,
        among: Sequence[int] | None = None,
        fingerprint: Fingerprint | None = None,
        threads: int | None = None,
    ) -> list[list[Hit]]:
        """As :meth:`search`, for several queries at once."""
        if fingerprint is not None and self.space:
            self._native.check_space(fingerprint.space)
        positions = None if among is None else [int(one) for one in np.asarray(among)]
        found = self._native.search([rows(query) for query in queries], k, positions, threads)
        return [
            [Hit(index, self._native.id(index) or "", score) for index, score in hits]
            for hits in found
        ]

    def positions(self, ids: Iterable[str]) -> list[int]:
        """The positions of documents by their ids; those that are unknown are left out."""
        return self._native.positions(list(ids))

    @property
    def dim(self) -> int:
        """Columns of a row."""
        return self._native.dim()

    @property
    def rows(self) -> int:
        """Rows of all documents."""
        return self._native.rows()

    @property
    def dtype(self) -> str:
        """How rows are stored."""
        return self._native.dtype()

    @property
    def space(self) -> str:
        """The embedding space; empty if unknown."""
        return self._native.space()

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors and their tables."""
        return self._native.bytes()

    def __len__(self) -> int:
        return len(self._native)

    def __repr__(self) -> str:
        return f"Corpus({len(self)} documents, {self.rows} rows, dim={self.dim}, {self.dtype})"
