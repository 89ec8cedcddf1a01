"""Threads, forks, interrupts, pickles."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import FIXTURES, assert_all_close

import multivec


def test_threads_share_a_model(tiny, reference):
    expected = reference("tiny-bert")
    wanted = expected.expected("document")
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(tiny.encode_document, expected.documents) for _ in range(12)]
        for call in calls:
            assert_all_close(call.result(), wanted)


def test_other_threads_run_while_texts_are_encoded(demo):
    """The interpreter's lock is released, which a counting thread shows."""
    counted = 0
    done = threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        demo.encode_document(["a passage of some length about nothing " * 8] * 64)
        before = counted
        demo.encode_document(["a passage of some length about nothing " * 8] * 64)
        assert counted > before + 3
    finally:
        done.set()
        thread.join()


def test_progress_is_reported_in_order(demo):
    seen: list[tuple[int, int]] = []
    texts = ["some words " * 20] * 100
    demo.encode_document(
        texts, batch_size=5, show_progress_bar=lambda done, total: seen.append((done, total))
    )
    done = [one for one, _ in seen]
    assert done == sorted(done) and len(done) > 2
    assert all(total == 100 for _, total in seen) and done[-1] <= 100


def test_a_progress_bar(demo, capsys):
    demo.encode_document(["some words"] * 40, batch_size=4, show_progress_bar=True)
    assert "Encoding" in capsys.readouterr().err


def test_what_a_progress_function_raises_ends_the_call(demo):
    def fail(done, total):
        raise LookupError(f"at {done} of {total}")

    with pytest.raises(LookupError, match="of 80"):
        demo.encode_document(["some words"] * 80, batch_size=2, show_progress_bar=fail)
    assert len(demo.encode_document(["works still"])) == 1


INTERRUPTED = """
import os, signal, sys, threading, time
import multivec
encoder = multivec.Encoder(sys.argv[1])
texts = ["a passage of some length about nothing " * 20] * 4000
started = threading.Event()
def interrupt():
    started.wait()
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    encoder.encode_document(texts, batch_size=4, show_progress_bar=lambda *_: started.set())
    print("finished")
except KeyboardInterrupt:
    print("interrupted")
    print(encoder.encode_query("works still").shape[1])
"""


def test_an_interrupt_ends_a_call_between_batches(demo_folder):
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(demo_folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.stdout.split() == ["interrupted", "128"], run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without forks")
def test_a_fork_refuses_the_parents_model(tiny):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            tiny.encode_query("a query")
            found = "encoded"
        except multivec.EncoderError as error:
            found = f"{error.code}: {error}"
        os.write(writer, found.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    assert found.startswith("forked: expected the process that loaded the model")
    assert len(tiny.encode_query("a query")) > 0


FORKED = """
import os, sys
import multivec
child = os.fork()
if child == 0:
    encoder = multivec.Encoder(sys.argv[1], precision="fp32")
    print(encoder.encode_query("a query").shape[1], flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without forks")
def test_a_fork_loads_a_model_of_its_own():
    run = subprocess.run(
        [sys.executable, "-c", FORKED, str(FIXTURES / "tiny-bert")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.stdout.split() == ["32", "0"], run.stderr


def test_a_pickled_model_is_loaded_again(tiny):
    copy = pickle.loads(pickle.dumps(tiny))
    assert copy.fingerprint == tiny.fingerprint
    assert np.array_equal(copy.encode_query("a query"), tiny.encode_query("a query"))


TRACT = """
import sys, warnings
sys.modules["onnxruntime"] = None  # As if it were not installed.
import multivec
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    encoder = multivec.Encoder(sys.argv[1], precision="fp32")
print(encoder.info["engine"].split()[0], len(seen), "onnxruntime" in str(seen[0].message))
"""


def test_without_onnxruntime_tract_runs_and_says_so(tmp_path):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("ORT_DYLIB_PATH", "VIRTUAL_ENV", "CONDA_PREFIX")
    }
    run = subprocess.run(
        [sys.executable, "-c", TRACT, str(FIXTURES / "tiny-bert")],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=environment,
    )
    assert run.stdout.split() == ["tract", "1", "True"], run.stderr


def test_telemetry_is_off_unless_the_application_says_otherwise():
    program = (
        "import os, sys, multivec; multivec.Encoder(sys.argv[1], precision='fp32');"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    for given, expected in ((None, "1"), ("0", "0")):
        environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
        if given is not None:
            # What ONNX Runtime makes of it is the application's business: tract runs.
            environment["ORT_DISABLE_TELEMETRY"] = given
            program = program.replace("precision='fp32'", "engine='tract', precision='fp32'")
        run = subprocess.run(
            [sys.executable, "-c", program, str(FIXTURES / "tiny-bert")],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment,
        )
        assert run.stdout.strip() == expected, run.stderr
