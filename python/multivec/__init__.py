"""Text encoders for retrieval: multi-vector (ColBERT), dense and sparse models, and
rerankers, on ONNX Runtime or tract.

>>> import multivec
>>> encoder = multivec.Encoder("models/minilm-colbert")
>>> documents = encoder.encode_document(["Bees make honey.", "Paris is in France."])
>>> query = encoder.encode_query("Which animal makes honey?")
>>> multivec.rank(query, documents)[0].index
0
"""

from ._options import EncodeOptions, Engine, LoadOptions, Precision, Provider
from ._texts import Texts
from .batches import Encode
from .corpus import Corpus, Hit
from .cross import CrossEncoder, Prediction, RankedDocument
from .dense import DenseEncoder
from .embedding import Embedding, Fingerprint, Flat, Token, TokenizedText, Truncation
from .encoder import Encoder, MultiVectorEncoder, Output
from .errors import EncoderError
from .hybrid import HybridEmbedding, HybridEncoder
from .loading import load
from .score import (
    Matches,
    Ranked,
    matches,
    max_sim,
    pool,
    rank,
    reciprocal_rank_fusion,
    similarity,
    similarity_pairwise,
    token_similarity,
)
from .sparse import SparseEmbedding, SparseEncoder

__all__ = [
    "Corpus",
    "CrossEncoder",
    "DenseEncoder",
    "Embedding",
    "Encode",
    "EncodeOptions",
    "Encoder",
    "EncoderError",
    "Engine",
    "Fingerprint",
    "Flat",
    "Hit",
    "HybridEmbedding",
    "HybridEncoder",
    "LoadOptions",
    "Matches",
    "MultiVectorEncoder",
    "Output",
    "Precision",
    "Prediction",
    "Provider",
    "Ranked",
    "RankedDocument",
    "SparseEmbedding",
    "SparseEncoder",
    "Texts",
    "Token",
    "TokenizedText",
    "Truncation",
    "load",
    "matches",
    "max_sim",
    "pool",
    "rank",
    "reciprocal_rank_fusion",
    "similarity",
    "similarity_pairwise",
    "token_similarity",
]
