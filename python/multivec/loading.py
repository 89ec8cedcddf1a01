"""Models of any kind."""

from __future__ import annotations

import os
from typing import Any

from ._model import Model, load_native
from ._options import LoadOptions
from ._typing import Unpack
from .cross import CrossEncoder
from .dense import DenseEncoder
from .encoder import MultiVectorEncoder
from .errors import EncoderError
from .hybrid import HybridEncoder
from .sparse import SparseEncoder

_KINDS: dict[str, type[Model]] = {
    str(kind.KIND): kind
    for kind in (MultiVectorEncoder, DenseEncoder, SparseEncoder, CrossEncoder, HybridEncoder)
}


def load(model: str | os.PathLike[str], **options: Unpack[LoadOptions]) -> Model:
    """Loads a model and says by its class which kind it is: a
    :class:`MultiVectorEncoder`, :class:`DenseEncoder`, :class:`SparseEncoder`,
    :class:`CrossEncoder` or :class:`HybridEncoder`. Arguments and errors as for these."""
    given: dict[str, Any] = dict(options)
    native = load_native(model, given)
    kind = _KINDS.get(native.kind())
    if kind is None:
        raise EncoderError(
            f"{os.fspath(model)}: expected a model of {', '.join(_KINDS)}, found {native.kind()}",
            "model_mismatch",
        )
    return kind._of(native, os.fspath(model), given)
