//! Dense, sparse and reranking models against sentence-transformers, from
//! folders that have no ONNX.

use std::fs;
use std::path::Path;

use multivec::{BatchLimit, EncodeOptions, EncoderBuilder, Precision, TextKind, TokenRole};
use multivec_testing::engines::{BOTH, in_floats};
use multivec_testing::folders::{fixture, hub_models_of};
use multivec_testing::references::{HubReference, compare, cosine, distance};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

/// The largest difference to the reference, in multiples of a value beyond 1.
const BOUND: f32 = 1e-5;

/// That of sparse weights. Computed in 64 bits, the reference of
/// `sparse-distilbert-splade` itself is 3.1e-5 off, since its random weights
/// amplify rounding.
const SPARSE_BOUND: f32 = 4e-5;

#[test]
fn dense_vectors_are_those_of_sentence_transformers() {
    for folder in hub_models_of("dense") {
        let reference = HubReference::read(&folder);
        for (name, builder) in in_floats(&folder) {
            let encoder = builder
                .build_dense()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            compare(&encoder, &reference, |found, expected, text| {
                let distance = distance(&found.values, expected);
                let cosine = 1. - cosine(&found.values, expected);
                assert!(
                    distance < BOUND * 10. && cosine < BOUND,
                    "{name}, {text}: {distance}, {cosine}"
                );
            });
        }
    }
}

#[test]
fn sparse_weights_are_those_of_sentence_transformers() {
    for folder in hub_models_of("sparse") {
        let reference = HubReference::read(&folder);
        for (name, builder) in in_floats(&folder) {
            let encoder = builder
                .build_sparse()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            compare(&encoder, &reference, |found, expected, text| {
                let distance = distance(&found.to_dense(), expected);
                assert!(distance < SPARSE_BOUND, "{name}, {text}: {distance}");
                assert!(found.indices.is_sorted());
                assert!(found.values.iter().all(|&value| value > 0.));
            });
        }
    }
}

#[test]
fn logits_and_scores_are_those_of_sentence_transformers() {
    for folder in hub_models_of("rerank") {
        let reference = HubReference::read(&folder);
        let (logits, scores) = (reference.rows("logits"), reference.rows("scores"));
        for (name, builder) in in_floats(&folder) {
            let encoder = builder
                .build_cross_encoder()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let single = encoder
                .with_options(&EncodeOptions::default().with_batch_limit(BatchLimit::Texts(1)))
                .expect("one text a batch");
            for (at, query) in reference.queries.iter().enumerate() {
                let pairs: Vec<(&str, &str)> = reference
                    .documents
                    .iter()
                    .map(|document| (query.as_str(), document.as_str()))
                    .collect();
                for encoder in [&encoder, &single] {
                    let found = encoder.predict(&pairs).expect("pairs are scored");
                    for (document, found) in found.iter().enumerate() {
                        let distance = distance(&found.logits, &[logits[at][document]]);
                        let of_scores = (found.scores[0] - scores[at][document]).abs();
                        assert!(
                            distance < BOUND && of_scores < BOUND,
                            "{name}, query {at}, document {document}: {distance}, {of_scores}"
                        );
                    }
                }
                let ranking = encoder
                    .rank(query, &reference.documents)
                    .expect("they are ranked");
                assert!(ranking.is_sorted_by(|one, other| one.logit >= other.logit));
                assert_eq!(ranking.len(), reference.documents.len());
            }
        }
    }
}

#[test]
fn instructions_of_rerankers_are_chosen_by_name() {
    let folder = fixture("hub/rerank-qwen3");
    let reference = HubReference::read(&folder);
    let logits = reference.rows("logits.web");
    let options = EncodeOptions::default().with_prompt("web");
    for (name, builder) in in_floats(&folder) {
        let encoder = builder.with_encode_options(options.clone());
        let encoder = encoder
            .build_cross_encoder()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let query = reference.queries[0].as_str();
        let documents = reference.documents.iter();
        let pairs: Vec<_> = documents.map(|document| (query, document)).collect();
        let found = encoder.predict(&pairs).expect("pairs are scored");
        for (at, found) in found.iter().enumerate() {
            let distance = distance(&found.logits, &[logits[0][at]]);
            assert!(distance < BOUND, "{name}, document {at}: {distance}");
        }
        let longest = found.last().and_then(|found| found.truncation);
        assert!(longest.is_some_and(|found| found.is_truncated()), "{name}");
    }
}

#[test]
fn templates_of_other_forms_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = fixture("hub/rerank-qwen3");
    let copy = |path: &str| {
        let to = folder.path().join(path);
        fs::create_dir_all(to.parent().expect("a folder")).expect("it is made");
        fs::copy(model.join(path), to).expect("it is copied");
    };
    for path in [
        "1_LogitScore/config.json",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        copy(path);
    }
    let builder = EncoderBuilder::from_dir(folder.path());
    let message = || {
        let error = builder.build_cross_encoder().expect_err("no such template");
        error.to_string()
    };
    assert!(message().contains("chat_template.jinja"), "{}", message());
    let other = "{% for message in messages %}{{ message.content }}{% endfor %}";
    fs::write(folder.path().join("chat_template.jinja"), other).expect("it is written");
    assert!(
        message().contains("for message in messages"),
        "{}",
        message()
    );
}

#[test]
fn models_of_another_kind_are_refused_by_name() {
    let folder = hub_models_of("dense").remove(0);
    let builder = EncoderBuilder::from_dir(&folder);
    let error = builder.build_sparse().expect_err("it is dense").to_string();
    assert!(
        error.contains("a sparse model") && error.contains("a dense model"),
        "{error}"
    );
    let any = builder.build_any().expect("it loads");
    assert_eq!(any.kind(), multivec::ModelKind::Dense);
}

/// The mean of the states of a text's own tokens, which the same transformer
/// gives as a multi-vector model, is the vector of a model that leaves the tokens
/// of its prompt out, alone and in batches.
#[test]
fn tokens_of_prompts_can_be_left_out() {
    let model = fixture("hub/dense-distilbert-mean");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let prompt = "search query: ";
    let config = |kind: &str| {
        json!({
            "model_type": kind,
            "prompts": {"query": prompt, "document": ""},
        })
    };
    let transformer = "sentence_transformers.base.modules.transformer.Transformer";
    let pooling = "sentence_transformers.sentence_transformer.modules.pooling.Pooling";
    let modules = |classes: &[(&str, &str)]| {
        let classes = classes.iter();
        let list = classes.map(|(path, class)| json!({"path": path, "type": class}));
        Value::from(list.collect::<Vec<_>>())
    };
    let write = |name: &str, files: &[(&str, Value)]| {
        let root = folder.path().join(name);
        fs::create_dir_all(root.join("1_Pooling")).expect("it is made");
        for file in [
            "config.json",
            "model.safetensors",
            "sentence_bert_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ] {
            fs::copy(model.join(file), root.join(file)).expect("it is copied");
        }
        for (path, content) in files {
            fs::write(root.join(path), content.to_string()).expect("it is written");
        }
        EncoderBuilder::from_dir(root).with_precision(Precision::Fp32)
    };
    let pooled = json!({"pooling_mode": "mean", "include_prompt": false});
    let dense = write(
        "dense",
        &[
            (
                "config_sentence_transformers.json",
                config("SentenceTransformer"),
            ),
            (
                "modules.json",
                modules(&[("", transformer), ("1_Pooling", pooling)]),
            ),
            ("1_Pooling/config.json", pooled),
        ],
    );
    let tokens = write(
        "tokens",
        &[
            (
                "config_sentence_transformers.json",
                config("MultiVectorEncoder"),
            ),
            ("modules.json", modules(&[("", transformer)])),
        ],
    );
    let texts = [
        "What is the capital of France?",
        "",
        "a",
        "naïve café Zürich, emoji 🚀",
    ];
    for engine in BOTH {
        let dense = dense
            .clone()
            .with_engine(engine)
            .build_dense()
            .expect("it loads");
        let tokens = tokens
            .clone()
            .with_engine(engine)
            .build()
            .expect("it loads");
        let rows = tokens.encode_queries(&texts).expect("they are encoded");
        let together = dense.encode_queries(&texts).expect("they are encoded");
        for ((text, rows), together) in texts.iter().zip(&rows).zip(&together) {
            let places = 0..rows.tokens();
            let is_of_prompt = |row: &usize| rows.row_tokens(*row)[0].role == TokenRole::Prefix;
            let last = places
                .clone()
                .filter(is_of_prompt)
                .max()
                .expect("it has a prompt");
            let own: Vec<usize> = places.filter(|&row| row > last).collect();
            let sum = |column: usize| own.iter().map(|&row| rows.row(row)[column]).sum::<f32>();
            let mean = (0..rows.dim()).map(|column| sum(column) / own.len() as f32);
            let mean: Vec<f32> = mean.collect();
            let alone = dense.encode_query(text).expect("it is encoded");
            for found in [&alone, together] {
                let distance = distance(&found.values, &mean);
                assert!(distance < BOUND, "{engine:?} {text:?}: {distance}");
            }
        }
    }
}

/// A sparse model whose queries have the weights of their tokens.
fn routed(root: &Path) -> Vec<f32> {
    let model = fixture("hub/sparse-bert-splade");
    let package = "sentence_transformers.sparse_encoder.modules";
    let write = |path: &str, content: Vec<u8>| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        fs::write(path, content).expect("it is written");
    };
    let json = |value: Value| value.to_string().into_bytes();
    let modules = json!([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.router.Router"}]);
    write("modules.json", json(modules));
    let router = json!({
        "types": {
            "query_0_SparseStaticEmbedding": format!("{package}.sparse_static_embedding.SparseStaticEmbedding"),
            "document_0_MLMTransformer": format!("{package}.mlm_transformer.MLMTransformer"),
            "document_1_SpladePooling": format!("{package}.splade_pooling.SpladePooling"),
        },
        "structure": {
            "query": ["query_0_SparseStaticEmbedding"],
            "document": ["document_0_MLMTransformer", "document_1_SpladePooling"],
        },
        "parameters": {},
    });
    write("router_config.json", json(router));
    for (from, to) in [
        (
            "config_sentence_transformers.json",
            "config_sentence_transformers.json",
        ),
        ("config.json", "document_0_MLMTransformer/config.json"),
        (
            "model.safetensors",
            "document_0_MLMTransformer/model.safetensors",
        ),
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
        write(to, fs::read(model.join(from)).expect("the fixture has it"));
    }
    // Every third token has no weight.
    let weights: Vec<f32> = (0u16..1200).map(|id| f32::from(id % 3) / 2.).collect();
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|weight| weight.to_le_bytes())
        .collect();
    let tensor = TensorView::new(Dtype::F32, vec![weights.len()], &bytes).expect("a tensor");
    let table = safetensors::serialize([("weight", tensor)], None).expect("it is written");
    write("query_0_SparseStaticEmbedding/model.safetensors", table);
    weights
}

#[test]
fn queries_can_have_the_weights_of_their_tokens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = routed(folder.path());
    let builder = EncoderBuilder::from_dir(folder.path()).with_precision(Precision::Fp32);
    let encoder = builder.build_sparse().expect("it loads");
    let text = "What is the capital of France? What?";
    let found = encoder.encode_query(text).expect("it is encoded");
    let tokens = encoder
        .tokenize(&[text], TextKind::Query)
        .expect("it is tokenized");
    let tokens = tokens[0].input_ids().iter().zip(tokens[0].roles());
    let own = tokens.filter(|(_, role)| **role != TokenRole::Special);
    let mut expected: Vec<u32> = own.map(|(&id, _)| id).collect();
    expected.sort_unstable();
    expected.dedup();
    expected.retain(|&id| weights[id as usize] != 0.);
    assert!(!expected.is_empty());
    assert_eq!(found.indices, expected);
    let of_table = expected.iter().map(|&id| weights[id as usize]);
    assert_eq!(found.values, of_table.collect::<Vec<_>>());
    assert_eq!(found.dim, weights.len());

    // Documents are those of the transformer.
    let whole = EncoderBuilder::from_dir(fixture("hub/sparse-bert-splade"));
    let whole = whole
        .with_precision(Precision::Fp32)
        .build_sparse()
        .expect("it loads");
    let document = "Paris is the capital of France.";
    let [left, right] =
        [&encoder, &whole].map(|encoder| encoder.encode_document(document).expect("it is encoded"));
    assert_eq!(left, right);
    assert!(found.dot(&left).expect("of one vocabulary") > 0.);
}
