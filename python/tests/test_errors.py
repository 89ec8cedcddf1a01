"""Errors of loading, with their codes."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest
from conftest import FIXTURES

import multivec


def code_of(call):
    with pytest.raises(multivec.EncoderError) as error:
        call()
    return error.value.code, str(error.value)


def test_missing_folders_and_files(tmp_path):
    code, message = code_of(lambda: multivec.Encoder(tmp_path / "nowhere" / "at" / "all"))
    assert code in ("io", "missing_file") and "nowhere" in message
    code, message = code_of(lambda: multivec.Encoder(tmp_path))
    assert code == "missing_file" and str(tmp_path) in message


def test_damaged_files_are_named(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "tiny-bert", folder)
    (folder / "onnx_config.json").write_text("{")
    code, message = code_of(lambda: multivec.Encoder(folder, precision="fp32"))
    assert code == "config_syntax" and "onnx_config.json" in message
    shutil.copy(FIXTURES / "tiny-bert" / "onnx_config.json", folder)
    (folder / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    code, message = code_of(lambda: multivec.Encoder(folder, precision="fp32"))
    assert code in ("invalid_model", "invalid_file") and "LFS" in message


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("precision", "fp8"),
        ("provider", "tpu"),
        ("engine", "torch"),
        ("threads", 0),
        ("threads", -1),
        ("query_length", 1),
        ("library", "/nowhere/libonnxruntime.so"),
    ],
)
def test_options_out_of_range(option, value):
    code, message = code_of(lambda: multivec.Encoder(FIXTURES / "tiny-bert", **{option: value}))
    assert code in ("invalid_option", "engine_unavailable"), message
    name = {"threads": "cores"}.get(option, option)
    assert name in message or str(value) in message


def test_models_of_another_kind_are_refused():
    dense = FIXTURES / "hub" / "dense-bert-cls"
    code, message = code_of(lambda: multivec.Encoder(dense))
    assert code == "model_mismatch" and "dense" in message
    code, message = code_of(lambda: multivec.DenseEncoder(FIXTURES / "tiny-bert"))
    assert code == "model_mismatch" and "multi-vector" in message


def test_providers_that_the_library_lacks_are_no_silent_fallback():
    code, _ = code_of(lambda: multivec.Encoder(FIXTURES / "tiny-bert", provider="cuda"))
    assert code == "provider_unavailable"


def test_spaces_are_compared(tiny):
    tiny.check_space(tiny.fingerprint.space)
    code, _ = code_of(lambda: tiny.check_space("0" * 64))
    assert code == "fingerprint_mismatch"


def test_errors_are_pickled_with_their_code():
    error = multivec.EncoderError("a message", "inference")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.code) == ("a message", "inference")


def test_info_is_what_the_command_line_prints(tiny):
    facts = json.loads(json.dumps(dict(tiny.info)))
    assert facts["kind"] == "multi-vector" and facts["dim"] == 32
    assert facts["precision"] == "fp32" and facts["space"] == tiny.fingerprint.space
    assert facts["engine"].startswith("ONNX Runtime") or facts["engine"].startswith("onnx")
