"""Rerankers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ._model import Model, Progress, ShowProgress
from ._options import EncodeOptions
from ._texts import Texts, checked, readable
from ._typing import Unpack
from .embedding import FloatArray
from .errors import EncoderError


class Prediction(NamedTuple):
    """What a cross-encoder says of pairs."""

    #: The model's outputs, ``[pairs, labels]``.
    logits: FloatArray
    #: The logits after the model's activation function.
    scores: FloatArray


@dataclass(frozen=True)
class RankedDocument:
    """A document of a ranking."""

    #: Its position among the documents.
    index: int
    score: float
    #: The score before the activation function.
    logit: float


class CrossEncoder(Model):
    """A reranker, which reads a query and a document together."""

    KIND: ClassVar[str | None] = "cross-encoder"

    def predict(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Prediction:
        """Scores pairs of a query and a document. Where a pair is too long, tokens of
        the longer text are cut off first.

        Raises:
            EncoderError: If the engine fails.
            KeyboardInterrupt: Between two batches.
        """
        queries = checked([pair[0] for pair in pairs])
        documents = checked([pair[1] for pair in pairs])
        return self._predict(queries, documents, show_progress_bar, options)

    def rank(
        self,
        query: str,
        documents: Texts,
        *,
        top_k: int | None = None,
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> list[RankedDocument]:
        """Documents by descending score; equal scores keep the documents' order.

        Raises:
            EncoderError: For a model with several labels, and as :meth:`predict`.
        """
        if self.dim != 1:
            raise EncoderError(
                f"{self._name}: labels: expected one label, to rank by it, found {self.dim}",
                "model_mismatch",
            )
        texts = readable(documents)
        queries = [query] * len(texts)
        found = self._predict(queries, texts, show_progress_bar, options)
        logits, scores = found.logits[:, 0], found.scores[:, 0]
        # Scores near 0 or 1 may be equal where logits are not.
        order = np.lexsort((-logits, -scores))[:top_k]
        return [RankedDocument(int(at), float(scores[at]), float(logits[at])) for at in order]

    def _predict(
        self, queries: Any, documents: Any, progress: ShowProgress, options: EncodeOptions
    ) -> Prediction:
        with Progress(progress) as report:
            merged = self._merged(options)
            return Prediction(*self._native.predict(queries, documents, merged, report))
