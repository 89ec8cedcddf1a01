"""The Python side of protocol/src/lib.rs: one JSON object a line, a request on
standard input and a reply on standard output."""

import json
import os
import sys
import time


def serve(load):
    """Answers until standard input ends.

    `load` takes the arguments of a request to load a model and gives a function
    of kind and texts, which gives one `[rows, dim]` array a text.
    """
    # What libraries print goes to standard error, so that it is in no reply.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    encode = None
    for line in sys.stdin:
        try:
            encode, reply = answer(load, encode, json.loads(line))
        except Exception as error:  # Whatever it is, it is the reply.
            reply = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


def answer(load, encode, request):
    ((what, arguments),) = request.items()
    if what == "load":
        seconds, encode = timed(lambda: load(arguments))
        return encode, {"seconds": [seconds]}
    if encode is None:
        raise ValueError("no model is loaded")
    kind, texts = arguments["kind"], arguments["texts"]
    if what == "encode":
        return encode, {"seconds": [timed(lambda: encode(kind, texts))[0]]}
    if what == "each":
        return encode, {"seconds": [timed(lambda: encode(kind, [text]))[0] for text in texts]}
    if what == "vectors":
        return encode, {"vectors": [rows.ravel().tolist() for rows in encode(kind, texts)]}
    raise ValueError(f"expected load, encode, each or vectors, found {what}")


def timed(run):
    start = time.perf_counter()
    value = run()
    return time.perf_counter() - start, value
