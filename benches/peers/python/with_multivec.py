"""multivec through its wheel as one of the encoders that the benchmark talks to,
in its defaults, on the library that all others run."""

import os

from answers import serve


def load(request):
    import multivec

    encoder = multivec.Encoder(
        request["model"],
        precision=request["precision"],
        threads=request["cores"],
        library=os.environ["ORT_DYLIB_PATH"],
    )

    def encode(kind, texts):
        return encoder.encode(texts, task=kind)

    return encode


serve(load)
