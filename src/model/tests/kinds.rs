//! Dense, sparse and reranking models.

use serde_json::json;

use super::super::{
    Activation, Format, HeadDescription, ModelFolder, ModelKind, StaticTable, describe,
};
use super::{described, folder};
use crate::dense::{PromptTokens, Similarity, TokenPooling};
use crate::normalization::Normalization;

fn pooling_of(config: serde_json::Value) -> Result<(Vec<TokenPooling>, PromptTokens), String> {
    let folder =
        folder("hub/dense-bert-cls").with_file("1_Pooling/config.json", config.to_string());
    let found = describe(&folder).map_err(|error| error.to_string())?;
    match found.head {
        HeadDescription::Dense(dense) => Ok((dense.pooling.modes, dense.pooling.prompt)),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn dense_models() {
    let found = described("hub/dense-bert-cls");
    assert_eq!(found.kind(), ModelKind::Dense);
    assert_eq!(found.format, Format::SentenceTransformers);
    assert_eq!(found.normalization, Normalization::L2);
    assert_eq!(found.config.query_length, 200);
    assert_eq!(found.config.document_prefix, "");
    let prompt = "Represent this sentence for searching relevant passages: ";
    assert_eq!(found.config.query_prefix, prompt);
    assert_eq!(found.config.prompts["query"], prompt);
    assert_eq!(found.dim(), Some(64));
    let HeadDescription::Dense(dense) = found.head else {
        panic!("it is dense");
    };
    assert_eq!(dense.pooling.modes, [TokenPooling::Cls]);
    assert_eq!(dense.similarity, Similarity::Cosine);
    assert_eq!(
        described("hub/dense-distilbert-mean").normalization,
        Normalization::Off
    );
}

#[test]
fn pooling_is_written_in_two_ways() {
    let older = json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true});
    let both = vec![TokenPooling::Cls, TokenPooling::Mean];
    assert_eq!(pooling_of(older), Ok((both, PromptTokens::Included)));
    let newer = json!({"pooling_mode": ["mean", "max"], "include_prompt": false});
    let both = vec![TokenPooling::Mean, TokenPooling::Max];
    assert_eq!(pooling_of(newer), Ok((both, PromptTokens::Excluded)));
    let none = vec![TokenPooling::Mean];
    assert_eq!(pooling_of(json!({})), Ok((none, PromptTokens::Included)));
    let unknown = pooling_of(json!({"pooling_mode": "median"}));
    assert!(unknown.is_err_and(|error| error.contains("weightedmean") && error.contains("median")));
}

#[test]
fn sparse_models() {
    for name in ["hub/sparse-bert-splade", "hub/sparse-distilbert-splade"] {
        let found = described(name);
        assert_eq!(found.kind(), ModelKind::Sparse, "{name}");
        assert_eq!(found.normalization, Normalization::Off);
    }
}

#[test]
fn queries_without_a_transformer() {
    let router = json!({
        "types": {
            "query_0_SparseStaticEmbedding":
                "sentence_transformers.sparse_encoder.modules.sparse_static_embedding.SparseStaticEmbedding",
            "document_0_MLMTransformer":
                "sentence_transformers.sparse_encoder.modules.mlm_transformer.MLMTransformer",
            "document_1_SpladePooling":
                "sentence_transformers.sparse_encoder.modules.splade_pooling.SpladePooling",
        },
        "structure": {
            "query": ["query_0_SparseStaticEmbedding"],
            "document": ["document_0_MLMTransformer", "document_1_SpladePooling"],
        },
        "parameters": {"default_route": "document"},
    });
    let modules = json!([{
        "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.router.Router",
    }]);
    let original = folder("hub/sparse-bert-splade");
    let mut routed = ModelFolder::new("routed")
        .with_file("modules.json", modules.to_string())
        .with_file("router_config.json", router.to_string())
        .with_path("query_0_SparseStaticEmbedding/model.safetensors")
        .with_path("document_0_MLMTransformer/model.safetensors");
    for (path, to) in [
        (
            "config_sentence_transformers.json",
            "config_sentence_transformers.json",
        ),
        ("config.json", "document_0_MLMTransformer/config.json"),
        ("tokenizer.json", "document_0_MLMTransformer/tokenizer.json"),
        (
            "tokenizer_config.json",
            "document_0_MLMTransformer/tokenizer_config.json",
        ),
        (
            "1_SpladePooling/config.json",
            "document_1_SpladePooling/config.json",
        ),
    ] {
        routed = match original.content(path) {
            Some(content) => routed.with_file(to, content),
            None => routed.with_path(to),
        };
    }
    let found = describe(&routed).unwrap_or_else(|error| panic!("{error}"));
    let HeadDescription::Sparse(sparse) = &found.head else {
        panic!("it is sparse");
    };
    let table = "query_0_SparseStaticEmbedding/model.safetensors".to_owned();
    assert_eq!(found.module_files(), std::slice::from_ref(&table));
    assert_eq!(sparse.queries, Some(StaticTable::Safetensors(table)));
    assert_eq!(found.tokenizer, "document_0_MLMTransformer/tokenizer.json");
}

#[test]
fn rerankers() {
    for name in [
        "hub/rerank-bert",
        "hub/rerank-modernbert",
        "hub/rerank-xlmr",
    ] {
        let found = described(name);
        let HeadDescription::CrossEncoder(cross) = found.head else {
            panic!("{name} is a cross-encoder");
        };
        assert_eq!(cross.labels, Some(1));
        assert_eq!(cross.activation, Some(Activation::Sigmoid));
    }
}

/// A transformer alone is what sentence-transformers would make of it.
#[test]
fn models_without_modules() {
    for (name, kind) in [
        ("hub/dense-bert-cls", ModelKind::Dense),
        ("hub/sparse-bert-splade", ModelKind::Sparse),
        ("hub/rerank-bert", ModelKind::CrossEncoder),
    ] {
        let original = folder(name);
        let mut bare = ModelFolder::new("bare").with_path("model.safetensors");
        for path in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            bare = match original.content(path) {
                Some(content) => bare.with_file(path, content),
                None => bare.with_path(path),
            };
        }
        let found = describe(&bare).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.kind(), kind);
        assert_eq!(found.format, Format::Transformers);
        if let HeadDescription::Dense(dense) = found.head {
            assert_eq!(dense.pooling.modes, [TokenPooling::Mean]);
        }
    }
}
