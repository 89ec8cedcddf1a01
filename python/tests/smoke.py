"""The package as `pip` installs it, without what only tests need:
`cargo xtask wheel`.

    python smoke.py MODEL
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import multivec

TEXTS = ["Bees make honey.", "Vaccines train the immune system.", "The sky scatters blue light."]


def main(model: str) -> None:
    # Such as that tract runs, since there is no library.
    warnings.simplefilter("error")
    encoder = multivec.Encoder(model)
    documents = encoder.encode_document(TEXTS)
    query = encoder.encode_query("Which animal makes honey?")
    assert [one.shape[1] for one in documents] == [encoder.dim] * len(TEXTS)
    assert multivec.rank(query, documents)[0].index == 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.corpus"
        multivec.Corpus(documents, dtype="int8").save(file)
        assert multivec.Corpus.open(file).search(query, 1)[0].index == 0
    print(version("multivec"), dict(encoder.info))


if __name__ == "__main__":
    main(sys.argv[1])
