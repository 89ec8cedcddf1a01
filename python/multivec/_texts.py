"""Texts as callers give them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from .errors import EncoderError

#: Several texts: a sequence of strings or ``None``, a numpy array of strings, or
#: anything with the Arrow PyCapsule interface that holds strings (``pyarrow``,
#: ``polars``, ``pandas``, ``duckdb``, …), chunked or not.
Texts = Union[Sequence[Union[str, None]], "npt.NDArray[Any]", Any]


def is_arrow(texts: object) -> bool:
    """Whether an object has the Arrow PyCapsule interface for arrays."""
    return hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_c_stream__")


def readable(texts: Texts) -> Any:
    """What the native module reads: a list, or an Arrow array."""
    if is_arrow(texts):
        return texts
    if isinstance(texts, np.ndarray):
        if texts.ndim != 1:
            raise EncoderError(
                f"texts: expected an array of one dimension, found {texts.ndim}", "invalid_input"
            )
        return checked(texts.tolist())
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"expected a sequence of texts, found {type(texts).__name__}")
    return checked(list(texts))


def checked(texts: list[object]) -> list[object]:
    """Refuses what is neither a string nor ``None``, by its position."""
    for at, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"text {at}: expected a str or None, found {type(text).__name__}")
    return texts
