"""Models of any kind."""

from __future__ import annotations

import os
import sys
from typing import Any

from . import _native, _options, _runtime
from ._model import Model
from .cross import CrossEncoder
from .dense import DenseEncoder
from .encoder import MultiVectorEncoder
from .errors import EncoderError
from .hybrid import HybridEncoder
from .sparse import SparseEncoder

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

_KINDS: dict[str, type[Model]] = {
    str(kind.KIND): kind
    for kind in (MultiVectorEncoder, DenseEncoder, SparseEncoder, CrossEncoder, HybridEncoder)
}


def load(model: str | os.PathLike[str], **options: Unpack[_options.LoadOptions]) -> Model:
    """Loads a model and says by its class which kind it is: a
    :class:`MultiVectorEncoder`, :class:`DenseEncoder`, :class:`SparseEncoder`,
    :class:`CrossEncoder` or :class:`HybridEncoder`. Arguments and errors as for these."""
    given: dict[str, Any] = dict(options)
    _options.check(given, loading=True)
    _runtime.disable_telemetry()
    native = _native.Model.load(os.fspath(model), _options.load(given))
    kind = _KINDS.get(native.kind())
    if kind is None:
        raise EncoderError(
            f"{os.fspath(model)}: expected a model of {', '.join(_KINDS)}, found {native.kind()}",
            "model_mismatch",
        )
    return kind._of(native, os.fspath(model), given)
