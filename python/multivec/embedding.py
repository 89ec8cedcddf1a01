"""What models give."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
import numpy.typing as npt

from . import _native

FloatArray = npt.NDArray[np.float32]


class Fingerprint(NamedTuple):
    """Identity of a model."""

    #: Of the embedding space: vectors of equal spaces can be compared.
    space: str
    #: Of what computes the vectors: precision, engine and form of the graph.
    computed: str


class Truncation(NamedTuple):
    """How much of a text was cut off, in tokens without special ones."""

    kept: int
    dropped: int


class Token(NamedTuple):
    """A token of a text."""

    id: int
    #: Its spelling in the vocabulary.
    text: str
    #: Its first and last character (exclusive) in the text; ``None`` for tokens
    #: that are not from the text.
    span: Optional[tuple[int, int]]
    #: ``special``, ``prefix``, ``text`` or ``expansion``.
    role: str


class TokenizedText(NamedTuple):
    """A text before it is encoded. The first three have an entry a token."""

    tokens: list[Token]
    #: Which tokens the model attends to.
    attention_mask: list[bool]
    #: Which tokens become rows of a multi-vector.
    kept: list[bool]
    truncation: Truncation

    @classmethod
    def of(cls, found: tuple[Any, ...]) -> TokenizedText:
        """Names what the native module gives."""
        tokens, mask, kept, truncation = found
        return cls([Token(*token) for token in tokens], mask, kept, Truncation(*truncation))


class Flat(NamedTuple):
    """The rows of several texts, one text after the other."""

    #: ``[rows of all texts, dim]``.
    values: npt.NDArray[Any]
    #: ``[texts + 1]``, int64: text ``i`` has the rows ``offsets[i]`` to
    #: ``offsets[i + 1]``. A null has none.
    offsets: npt.NDArray[np.int64]


class Embedding:
    """A multi-vector with the tokens behind its rows."""

    def __init__(self, native: _native.Embedding) -> None:
        self._native = native

    @property
    def vectors(self) -> FloatArray:
        """A copy of the vectors, ``[tokens, dim]``."""
        return self._native.vectors()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._native.shape()

    @property
    def tokens(self) -> list[list[Token]]:
        """The tokens of each row: one, or the members of its cluster after pooling."""
        return [[Token(*token) for token in row] for row in self._native.tokens()]

    @property
    def truncation(self) -> Truncation | None:
        """How much of the text was cut off."""
        found = self._native.truncation()
        return found and Truncation(*found)

    def pooled(self, factor: int, protected_tokens: int = 1) -> Embedding:
        """Pools rows by hierarchical clustering, as PyLate does."""
        return Embedding(self._native.pooled(factor, protected_tokens))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self.vectors if dtype is None else self.vectors.astype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Embedding(shape={self.shape})"
