"""The ONNX Runtime library of the package ``onnxruntime``."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def library() -> str | None:
    """The library's file, or ``None`` where there is no such package.

    Nothing is imported: the package's own module holds a second copy of the
    library. ``ORT_DYLIB_PATH`` comes first, as in the Rust crate.
    """
    if os.environ.get("ORT_DYLIB_PATH"):
        return None
    spec = find_spec("onnxruntime")
    for folder in (spec and spec.submodule_search_locations) or []:
        found = sorted(path for path in (Path(folder) / "capi").glob(_pattern()) if path.is_file())
        if found:
            return str(found[-1])
    return None


def _pattern() -> str:
    if sys.platform == "win32":
        return "onnxruntime.dll"
    return "libonnxruntime.*.dylib" if sys.platform == "darwin" else "libonnxruntime.so*"


def disable_telemetry() -> None:
    """Keeps ONNX Runtime from sending usage data to its maker.

    The crate does the same before it opens a library. It is done here under the
    interpreter's lock, and so that ``os.environ`` shows it. A value that the
    application has set stays.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
