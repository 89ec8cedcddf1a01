//! The answers of a server, against what the models give by themselves.

#![allow(clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use multivec::fusion::{RANK_OFFSET, reciprocal_rank_fusion};
use multivec::{AnyEncoder, EncoderBuilder, max_sim};
use multivec_testing::folders::fixture;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::collection::Collection;
use crate::http;
use crate::routes::Server;

const TEXTS: [&str; 5] = [
    "Bees collect nectar and turn it into honey.",
    "The Moon causes the tides of the oceans.",
    "Bread rises because yeast gives off gas.",
    "Paris is the capital of France.",
    "WebAssembly runs in browsers.",
];
const QUERY: &str = "Which animal makes honey?";

fn model(name: &str) -> EncoderBuilder {
    EncoderBuilder::from_dir(fixture(&format!("hub/{name}")))
}

/// A server with these models and the texts.
struct Started(std::net::SocketAddr);

impl Started {
    async fn with(names: &[&str]) -> Self {
        let models = names.iter().map(|name| model(name).build_any());
        let models: Vec<AnyEncoder> = models.collect::<Result<_, _>>().expect("they load");
        let collection = Collection::new(models).expect("one cross-encoder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Self(listener.local_addr().expect("an address"));
        let routes = Arc::new(Server::new(collection));
        let answer = move |request| routes.clone().answer(request);
        tokio::spawn(http::serve(listener, answer));
        // In two requests, as documents arrive.
        for (texts, count) in [(&TEXTS[..2], 2), (&TEXTS[2..], 5)] {
            let added = server.post("/documents", &json!({ "texts": texts })).await;
            assert_eq!(added["documents"], count, "{added}");
        }
        server
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = crate::post(self.0, path, &body.to_string()).await;
        serde_json::from_str(&answer.expect("an answer")).expect("JSON")
    }

    async fn search(&self, top: usize) -> Vec<(usize, f32)> {
        let body = json!({ "query": QUERY, "top": top });
        let found = self.post("/search", &body).await;
        let documents = found["documents"].as_array().expect("documents");
        let hit = |hit: &Value| {
            let index = hit["index"].as_u64().expect("an index") as usize;
            assert_eq!(hit["text"], TEXTS[index]);
            (index, hit["score"].as_f64().expect("a score") as f32)
        };
        documents.iter().map(hit).collect()
    }
}

/// Positions by descending score.
fn order(scores: &[f32]) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..scores.len()).collect();
    positions.sort_by(|&one, &other| scores[other].total_cmp(&scores[one]));
    positions
}

fn assert_close(found: &[(usize, f32)], expected: &[(usize, f32)]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.0, expected.0);
        assert!(
            (found.1 - expected.1).abs() < 1e-4,
            "{found:?} {expected:?}"
        );
    }
}

#[tokio::test]
async fn models_are_joined_by_ranks() {
    let server = Started::with(&["dense-bert-cls", "sparse-bert-splade", "mv-st-bert-plain"]).await;

    let dense = model("dense-bert-cls").build_dense().expect("it loads");
    let query = dense.encode_query(QUERY).expect("it is encoded");
    let of_dense = TEXTS.map(|text| {
        let document = dense.encode_document(text).expect("it is encoded");
        dense.similarity(&query, &document).expect("of one model")
    });
    let sparse = model("sparse-bert-splade")
        .build_sparse()
        .expect("it loads");
    let query = sparse.encode_query(QUERY).expect("it is encoded");
    let of_sparse = TEXTS.map(|text| {
        let document = sparse.encode_document(text).expect("it is encoded");
        query.dot(&document).expect("of one model")
    });
    let tokens = model("mv-st-bert-plain").build().expect("it loads");
    let query = tokens.encode_query(QUERY).expect("it is encoded");
    let of_tokens = TEXTS.map(|text| {
        let document = tokens.encode_document(text).expect("it is encoded");
        max_sim(&query, &document).expect("of one model")
    });
    let rankings = [of_dense, of_sparse, of_tokens].map(|scores| order(&scores));
    let fused = reciprocal_rank_fusion(rankings.iter().map(Vec::as_slice), RANK_OFFSET);
    let expected: Vec<_> = fused.iter().map(|one| (one.index, one.score)).collect();
    assert_close(&server.search(9).await, &expected);
    assert_close(&server.search(2).await, &expected[..2]);

    let refused = json!({ "query": QUERY, "documents": TEXTS });
    let error = server.post("/rerank", &refused).await;
    assert_eq!(error["error"]["code"], "invalid_option", "{error}");
}

#[tokio::test]
async fn a_cross_encoder_reads_what_was_found() {
    let server = Started::with(&["rerank-bert", "hybrid-xlmr"]).await;
    let reranker = model("rerank-bert")
        .build_cross_encoder()
        .expect("it loads");
    let ranking = reranker.rank(QUERY, &TEXTS).expect("one label");
    let expected: Vec<_> = ranking.iter().map(|one| (one.index, one.score)).collect();
    assert_close(&server.search(9).await, &expected);

    let body = json!({ "query": QUERY, "documents": TEXTS });
    let found = server.post("/rerank", &body).await;
    let found = found["documents"].as_array().expect("documents").iter();
    let found = found.map(|one| {
        let index = one["index"].as_u64().expect("an index") as usize;
        (index, one["score"].as_f64().expect("a score") as f32)
    });
    assert_close(&found.collect::<Vec<_>>(), &expected);

    let error = Collection::new(vec![
        AnyEncoder::Cross(reranker.clone()),
        AnyEncoder::Cross(reranker),
    ]);
    assert!(error.is_err_and(|error| error.to_string().contains("one cross-encoder")));
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_the_server_goes_on() {
    let server = Started::with(&["dense-bert-cls"]).await;
    for (path, body, code, message) in [
        ("/nothing", json!({}), "not_found", "/search"),
        ("/models", json!({}), "method", "expected GET"),
        ("/search", json!({ "query": 7 }), "invalid_request", "query"),
        (
            "/search",
            json!({ "query": "a", "top": -1 }),
            "invalid_request",
            "top",
        ),
        (
            "/documents",
            json!({ "texts": ["a", 1] }),
            "invalid_request",
            "texts",
        ),
    ] {
        let answer = server.post(path, &body).await;
        let error = &answer["error"];
        assert_eq!(error["code"], code, "{answer}");
        let text = error["message"].as_str().expect("a message");
        assert!(text.contains(message), "{text}");
    }
    let answer = crate::post(server.0, "/search", "{")
        .await
        .expect("an answer");
    assert!(answer.contains("expected JSON"), "{answer}");
    assert_eq!(server.search(1).await.len(), 1);
}
