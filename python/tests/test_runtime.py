"""Where the library of ONNX Runtime is found, by folders as packages lay them out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from multivec import _runtime

CPU = ["libonnxruntime_providers_shared.so", "onnxruntime_pybind11_state.so"]
GPU = [*CPU, "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_tensorrt.so"]


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Writes packages into a folder that is searched first; gives that of libraries."""
    monkeypatch.delenv("ORT_DYLIB_PATH", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "platform", "linux")
    # Imported by other tests, it would be found by its name.
    for name in [name for name in sys.modules if name.split(".")[0] == "onnxruntime"]:
        monkeypatch.delitem(sys.modules, name)

    def write(versions: dict[str, str], files: list[str]) -> Path:
        capi = tmp_path / "onnxruntime" / "capi"
        capi.mkdir(parents=True, exist_ok=True)
        (capi.parent / "__init__.py").write_text("raise ImportError('imported')")
        for package, version in versions.items():
            info = tmp_path / f"{package.replace('-', '_')}-{version}.dist-info"
            info.mkdir()
            text = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
            (info / "METADATA").write_text(text)
            (capi / f"libonnxruntime.so.{version}").touch()
        for file in files:
            (capi / file).touch()
        return capi

    return write


def test_the_package_for_cpus(packages):
    capi = packages({"onnxruntime": "1.32.0"}, CPU)
    assert _runtime.library() == str(capi / "libonnxruntime.so.1.32.0")


def test_the_package_for_gpus_alone(packages):
    capi = packages({"onnxruntime-gpu": "1.27.0"}, GPU)
    assert _runtime.library() == str(capi / "libonnxruntime.so.1.27.0")


@pytest.mark.parametrize("versions", [("1.32.0", "1.27.0"), ("1.9.0", "1.27.0")])
def test_both_packages(packages, versions):
    cpu, gpu = versions
    capi = packages({"onnxruntime": cpu, "onnxruntime-gpu": gpu}, GPU)
    assert _runtime.library() == str(capi / f"libonnxruntime.so.{gpu}")


def test_the_newest_of_several(packages):
    capi = packages({"onnxruntime": "1.9.0"}, CPU)
    (capi / "libonnxruntime.so.1.32.0").touch()
    assert _runtime.library() == str(capi / "libonnxruntime.so.1.32.0")


def test_none(packages, monkeypatch):
    assert _runtime.library() is None
    capi = packages({}, CPU)
    assert capi.is_dir() and _runtime.library() is None
    packages({"onnxruntime": "1.32.0"}, CPU)
    monkeypatch.setenv("ORT_DYLIB_PATH", "/elsewhere/libonnxruntime.so")
    assert _runtime.library() is None
