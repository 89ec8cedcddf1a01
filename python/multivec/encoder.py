"""Multi-vector (ColBERT) encoders."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Union, overload

from . import score
from ._arrow import single
from ._model import Model, ShowProgress, Task
from ._options import EncodeOptions
from ._texts import Texts, readable
from ._typing import Unpack
from .embedding import Embedding, Flat, FloatArray

#: ``numpy``: ``[tokens, dim]`` a text. ``flat``: a :class:`Flat`. ``arrow``: a
#: ``LargeList<FixedSizeList<float, dim>>`` array, of ``pyarrow`` where it is
#: installed, else an object with the PyCapsule interface. ``embeddings``:
#: :class:`Embedding`, with tokens.
Output = Literal["numpy", "flat", "arrow", "embeddings"]
FloatDtype = Literal["float32", "float16"]


class MultiVectorEncoder(Model):
    """A late-interaction (ColBERT) encoder: a vector for each token.

    >>> encoder = MultiVectorEncoder("models/minilm-colbert")
    >>> documents = encoder.encode_document(["Bees make honey.", "Paris is in France."])
    >>> query = encoder.encode_query("Which animal makes honey?")
    >>> [hit.index for hit in encoder.rank(query, documents)]
    [0, 1]
    """

    KIND: ClassVar[str | None] = "multi-vector"

    @overload
    def encode_query(
        self,
        texts: str,
        *,
        output: Literal["numpy"] = ...,
        dtype: FloatDtype = ...,
        show_progress_bar: ShowProgress = ...,
        **options: Unpack[EncodeOptions],
    ) -> FloatArray: ...
    @overload
    def encode_query(
        self,
        texts: list[str],
        *,
        output: Literal["numpy"] = ...,
        dtype: FloatDtype = ...,
        show_progress_bar: ShowProgress = ...,
        **options: Unpack[EncodeOptions],
    ) -> list[FloatArray]: ...
    @overload
    def encode_query(
        self,
        texts: Union[str, Texts],
        *,
        output: Output = ...,
        dtype: FloatDtype = ...,
        show_progress_bar: ShowProgress = ...,
        **options: Unpack[EncodeOptions],
    ) -> Any: ...
    def encode_query(
        self,
        texts: Union[str, Texts],
        *,
        output: Output = "numpy",
        dtype: FloatDtype = "float32",
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes queries.

        Args:
            texts: One text, or several, see :data:`multivec.Texts`. A null gives a
                null: ``None``, no rows in ``flat``, null in Arrow.
            output: The form of the result, see :data:`multivec.Output`.
            dtype: Of the numbers.
            show_progress_bar: ``True`` for a bar, or a function that is called with
                the texts done and the texts of the call.
            **options: See :class:`multivec.EncodeOptions`; by default those of
                loading.

        Returns:
            ``[tokens, dim]`` for one text, a list of them for several; another form
            as ``output`` says.

        Raises:
            EncoderError: If a text is too long with ``truncation="error"``, or if
                the engine fails.
            KeyboardInterrupt: Between two batches.
        """
        return self._embed(texts, "query", output, dtype, show_progress_bar, options)

    @overload
    def encode_document(
        self,
        texts: str,
        *,
        output: Literal["numpy"] = ...,
        dtype: FloatDtype = ...,
        show_progress_bar: ShowProgress = ...,
        **options: Unpack[EncodeOptions],
    ) -> FloatArray: ...
    @overload
    def encode_document(
        self,
        texts: list[str],
        *,
        output: Literal["numpy"] = ...,
        dtype: FloatDtype = ...,
        show_progress_bar: ShowProgress = ...,
        **options: Unpack[EncodeOptions],
    ) -> list[FloatArray]: ...
    @overload
    def encode_document(
        self,
        texts: Union[str, Texts],
        *,
        output: Output = ...,
        dtype: FloatDtype = ...,
        show_progress_bar: ShowProgress = ...,
        **options: Unpack[EncodeOptions],
    ) -> Any: ...
    def encode_document(
        self,
        texts: Union[str, Texts],
        *,
        output: Output = "numpy",
        dtype: FloatDtype = "float32",
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes documents, without the rows of skiplist words. Otherwise as
        :meth:`encode_query`."""
        return self._embed(texts, "document", output, dtype, show_progress_bar, options)

    def encode(
        self,
        texts: Union[str, Texts],
        *,
        task: Task = "document",
        output: Output = "numpy",
        dtype: FloatDtype = "float32",
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes texts of either kind, see :meth:`encode_query`."""
        return self._embed(texts, task, output, dtype, show_progress_bar, options)

    def _embed(
        self,
        texts: Union[str, Texts],
        task: Task,
        output: Output,
        dtype: FloatDtype,
        progress: ShowProgress,
        options: EncodeOptions,
    ) -> Any:
        is_one = isinstance(texts, str)
        given = [texts] if is_one else readable(texts)
        if output not in ("numpy", "flat", "arrow", "embeddings"):
            raise TypeError(
                f"output: expected `numpy`, `flat`, `arrow` or `embeddings`, found {output!r}"
            )
        found = self._encode(given, task, options, progress)
        if output == "arrow":
            return single(found.take_arrow("embedding", dtype))
        if output == "flat":
            values, offsets = found.take_flat()
            return Flat(values.astype(dtype, copy=False), offsets)
        if output == "embeddings":
            embeddings = [one and Embedding(one) for one in found.take_embeddings()]
            return embeddings[0] if is_one else embeddings
        arrays = [
            one if one is None else one.astype(dtype, copy=False) for one in found.take_arrays()
        ]
        return arrays[0] if is_one else arrays

    def rank(
        self,
        query: Any,
        documents: Any,
        *,
        top_k: int | None = None,
        **options: Unpack[EncodeOptions],
    ) -> list[score.Ranked]:
        """Documents by descending score for a query. Either can be given as text, or
        as vectors that were encoded before."""
        if isinstance(query, str):
            query = self.encode_query(query, **options)
        if _are_texts(documents):
            documents = self.encode_document(documents, output="flat", **options)
        return score.rank(query, documents, top_k=top_k)

    def similarity(self, queries: Any, documents: Any) -> FloatArray:
        """MaxSim of all queries with all documents, ``[queries, documents]``."""
        return score.similarity(queries, documents)

    def similarity_pairwise(self, queries: Any, documents: Any) -> FloatArray:
        """MaxSim of each query with the document at its place, ``[pairs]``."""
        return score.similarity_pairwise(queries, documents)

    def matches(self, query: Any, document: Any) -> score.Matches:
        """What each row of a query matches best in a document; either can be given
        as text."""
        if isinstance(query, str):
            query = self.encode_query(query)
        if isinstance(document, str):
            document = self.encode_document(document)
        return score.matches(query, document)

    def pool(self, embeddings: Any, factor: int, protected_tokens: int = 1) -> list[FloatArray]:
        """Pools the rows of documents, see :func:`multivec.pool`."""
        return score.pool(embeddings, factor, protected_tokens)


def _are_texts(documents: Any) -> bool:
    """Whether documents are texts; vectors otherwise."""
    kind = getattr(documents, "dtype", None) or getattr(documents, "type", None)
    if kind is not None:
        return getattr(kind, "kind", None) in ("U", "O", "T") or "string" in str(kind)
    if isinstance(documents, (list, tuple)) and documents:
        return isinstance(documents[0], str)
    return False


#: The short name of :class:`MultiVectorEncoder`.
Encoder = MultiVectorEncoder
