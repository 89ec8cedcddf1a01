"""PyLate on the CPU as one of the encoders that the benchmark talks to, as its
users run it: FP32, batches of 32, all cores. The model is the one that the ONNX
files were exported from, by MULTIVEC_PYLATE_MODEL; pylate_model.py makes it of
them."""

import os
from pathlib import Path

from answers import serve

BATCH = 32


def load(request):
    import torch
    from pylate import models

    folder = Path(os.environ["MULTIVEC_PYLATE_MODEL"]).resolve()
    if not folder.is_dir():  # PyLate would look for it on the network.
        raise ValueError(f"MULTIVEC_PYLATE_MODEL: expected a folder, found {folder}")
    torch.set_num_threads(request["cores"])
    model = models.ColBERT(str(folder), device="cpu")

    def encode(kind, texts):
        return model.encode(
            texts, batch_size=BATCH, is_query=kind == "query", show_progress_bar=False
        )

    return encode


serve(load)
