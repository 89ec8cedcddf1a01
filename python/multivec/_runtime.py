"""The ONNX Runtime library of the package ``onnxruntime`` or ``onnxruntime-gpu``."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path


def library() -> str | None:
    """The library's file, or ``None`` where there is no such package.

    Nothing is imported: the package's own module holds a second copy of the
    library. ``ORT_DYLIB_PATH`` comes first, as in the Rust crate.

    Both packages have their files in the folder ``onnxruntime``. Where libraries
    of two versions are there, that of ``onnxruntime-gpu`` is taken: its providers
    beside it are of the same version.
    """
    if os.environ.get("ORT_DYLIB_PATH"):
        return None
    spec = find_spec("onnxruntime")
    for folder in (spec and spec.submodule_search_locations) or []:
        found = [path for path in (Path(folder) / "capi").glob(_pattern()) if path.is_file()]
        if found:
            wanted = _numbers(_version_for_gpus())
            return str(max(found, key=lambda path: _rank(_numbers(path.name), wanted)))
    return None


def _version_for_gpus() -> str:
    try:
        return version("onnxruntime-gpu")
    except PackageNotFoundError:
        return ""


def _numbers(name: str) -> tuple[int, ...]:
    """The version in a name: that of a file, or a version alone."""
    return tuple(int(one) for one in re.findall(r"\d+", name))


def _rank(found: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[bool, tuple[int, ...]]:
    return found == wanted, found


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
