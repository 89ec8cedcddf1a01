"""PyLate on the CPU as one of the encoders that the benchmark talks to: one
JSON object a line, see protocol/src/lib.rs. The model is the one that the ONNX
files were exported from, by MULTIVEC_PYLATE_MODEL."""

import json
import os
import sys
import time


def load(request):
    import torch
    from pylate import models

    torch.set_num_threads(request["cores"])
    return models.ColBERT(os.environ["MULTIVEC_PYLATE_MODEL"], device="cpu")


def encode(model, kind, texts):
    return model.encode(texts, is_query=kind == "query", show_progress_bar=False)


def timed(run):
    start = time.perf_counter()
    value = run()
    return time.perf_counter() - start, value


def answer(model, request):
    (what, args), = request.items()
    if what == "load":
        seconds, model = timed(lambda: load(args))
        return model, {"seconds": [seconds]}
    kind, texts = args["kind"], args["texts"]
    if what == "encode":
        return model, {"seconds": [timed(lambda: encode(model, kind, texts))[0]]}
    if what == "each":
        return model, {"seconds": [timed(lambda: encode(model, kind, [text]))[0] for text in texts]}
    rows = encode(model, kind, texts)
    return model, {"vectors": [matrix.ravel().tolist() for matrix in rows]}


def main():
    model = None
    for line in sys.stdin:
        try:
            model, reply = answer(model, json.loads(line))
        except Exception as error:  # Whatever it is, it is the reply.
            reply = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


main()
