//! tract in a browser against PyLate's references, and what JavaScript sees.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::expect_used, clippy::panic)]

use js_sys::{Array, Function, JSON, Object, Reflect, Uint8Array};
use multivec_testing::TINY_BERT;
use multivec_wasm::api::WasmEncoder;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn tokens() {
    multivec_testing::tract::tokens();
}

#[wasm_bindgen_test]
fn fp32() {
    multivec_testing::tract::fp32();
}

#[wasm_bindgen_test]
fn fp32_batches() {
    multivec_testing::tract::fp32_batches();
}

#[wasm_bindgen_test]
fn int8_of_the_demo_model() {
    console_log!("{}", multivec_testing::tract::int8_of_the_demo_model());
}

fn json(text: &str) -> JsValue {
    JSON::parse(text).expect("JSON")
}

fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).expect("an object")
}

/// A property as JSON; of a typed array its elements.
fn show(object: &JsValue, key: &str) -> String {
    let value = get(object, key);
    let value = if js_sys::ArrayBuffer::is_view(&value) {
        Array::from(&value).into()
    } else {
        value
    };
    JSON::stringify(&value).expect("JSON").into()
}

fn code<T>(result: Result<T, JsValue>) -> String {
    let error = result.err().expect("an error");
    assert!(error.is_instance_of::<js_sys::Error>());
    get(&error, "code").as_string().expect("a code")
}

fn load(model: &[u8], options: &str) -> Result<WasmEncoder, JsValue> {
    load_with(TINY_BERT.tokenizer, model, options)
}

fn load_with(tokenizer: &[u8], model: &[u8], options: &str) -> Result<WasmEncoder, JsValue> {
    let (contents, files, file) = (Object::new(), Object::new(), Object::new());
    set(&contents, "tokenizer.json", &Uint8Array::from(tokenizer));
    set(
        &contents,
        "onnx_config.json",
        &Uint8Array::from(TINY_BERT.config),
    );
    set(&files, "location", &"".into());
    set(&files, "paths", &json(r#"["model.onnx"]"#));
    set(&files, "contents", &contents);
    let read = "return this.slice(start, end)";
    let read = Function::new_with_args("start, end", read);
    set(&file, "path", &"model.onnx".into());
    set(&file, "size", &(model.len() as f64).into());
    set(&file, "read", &read.bind0(&Uint8Array::from(model)));
    let large = Array::of1(&file);
    WasmEncoder::new(
        files.into(),
        large.into(),
        json(r#"{"path":"model.onnx","wanted":{}}"#),
        json(options),
    )
}

fn set(object: &Object, key: &str, value: &JsValue) {
    Reflect::set(object, &key.into(), value).expect("an object");
}

fn tiny() -> WasmEncoder {
    load(TINY_BERT.fp32.expect("a graph"), "{}").expect("a model")
}

#[wasm_bindgen_test]
fn a_job_returns_rows_and_the_tokens_behind_them() {
    let encoder = tiny();
    let texts = json(r#"["one. two.", "three"]"#);
    let job = encoder
        .start(texts, "document".into(), json(r#"{ "batchSize": 1 }"#), 0)
        .expect("a job");
    assert_eq!(job.run_next().expect("a batch"), 1);
    assert_eq!(job.run_next().expect("a batch"), 1);
    assert_eq!(job.run_next().expect("no batch"), 0);
    let found = job.finish().expect("embeddings");
    assert_eq!(code(job.run_next()), "invalid_option");

    let rows: Vec<f64> = Array::from(&get(&found, "rows"))
        .iter()
        .map(|rows| rows.as_f64().expect("a number"))
        .collect();
    let total = rows.iter().sum::<f64>();
    let length = |key| get(&get(&found, key), "length").as_f64();
    let dim = get(&found, "dim").as_f64().expect("a number");
    assert_eq!((rows.len(), dim), (2, 32.0));
    assert_eq!(length("data"), Some(total * dim));
    // Nothing is pooled: a token a row.
    assert_eq!(length("memberOffsets"), Some(total + 1.0));
    assert_eq!(length("ids"), Some(total));
    assert_eq!(length("spans"), Some(total * 2.0));
}

#[wasm_bindgen_test]
fn spans_count_utf16_code_units() {
    let texts = json(r#"["😀 a"]"#);
    let options = json(r#"{ "queryExpansion": "off" }"#);
    let found = tiny()
        .tokenize(texts, "query".into(), options)
        .expect("tokens");
    // [CLS], marker, the emoji, a letter, [SEP].
    assert_eq!(show(&found, "roles"), "[0,1,2,2,0]");
    assert_eq!(show(&found, "spans"), "[0,0,0,0,0,2,3,4,0,0]");
    assert_eq!(show(&found, "lengths"), "[5]");
    assert_eq!(show(&found, "droppedTokens"), "[0]");
}

#[wasm_bindgen_test]
fn errors_have_codes() {
    assert_eq!(code(load(b"<html>", "{}")), "invalid_file");
    assert_eq!(code(load(b"no protobuf", "{}")), "invalid_model");
    let encoder = tiny();
    let start = |options: &str| encoder.start(json("[]"), "query".into(), json(options), 0);
    for options in [
        r#"{ "poolfactor": 2 }"#,
        r#"{ "poolFactor": 0 }"#,
        r#"{ "poolFactor": "2" }"#,
        r#"{ "batchSize": 1, "tokenBudget": 1 }"#,
        r#"{ "normalization": "off" }"#,
        r#"{ "queryExpansion": true }"#,
        "3",
    ] {
        assert_eq!(code(start(options)), "invalid_option", "{options}");
    }
    let texts = json("[1]");
    assert_eq!(
        code(encoder.start(texts, "query".into(), json("{}"), 0)),
        "invalid_option"
    );
    assert_eq!(
        code(encoder.pool(vec![1.0; 3], 2, json(r#"{ "poolFactor": 2 }"#))),
        "dimension_mismatch"
    );
}

#[wasm_bindgen_test]
fn unknown_operators_are_named() {
    let model = TINY_BERT.fp32.expect("a graph");
    let model = replaced(&replaced(model, b"Softmax", b"Softest"), b"Erf", b"Orf");
    let error = load(&model, "{}").err().expect("an error");
    let message = get(&error, "message").as_string().expect("a message");
    assert_eq!(get(&error, "code"), "invalid_model");
    for operator in ["Orf (2 nodes: ", "Softest (2 nodes: "] {
        assert!(message.contains(operator), "{message}");
    }
}

/// A tokenizer and a model that do not belong together: the engine would look
/// for rows that the model does not have.
#[wasm_bindgen_test]
fn a_vocabulary_larger_than_the_models() {
    let tokenizer = std::str::from_utf8(TINY_BERT.tokenizer).expect("text");
    let tokenizer = json(tokenizer);
    let vocabulary = get(&get(&tokenizer, "model"), "vocab");
    Reflect::set(&vocabulary, &"extraordinary".into(), &2050.into()).expect("an object");
    let tokenizer: String = JSON::stringify(&tokenizer).expect("JSON").into();
    let model = TINY_BERT.fp32.expect("a graph");
    let loaded = load_with(tokenizer.as_bytes(), model, "{}");
    assert_eq!(code(loaded), "model_mismatch");
    // Nothing has panicked: this instance goes on.
    assert!(tiny().info().is_ok());
}

/// Bytes with a text replaced by another of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut found = bytes.to_vec();
    for at in 0..=found.len() - from.len() {
        if &found[at..at + from.len()] == from {
            found[at..at + from.len()].copy_from_slice(to);
        }
    }
    found
}

#[wasm_bindgen_test]
fn pooled_rows_name_their_members() {
    let encoder = tiny();
    let rows = vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
    let pool = |options| encoder.pool(rows.clone(), 2, json(options)).expect("rows");
    let found = pool(r#"{ "poolFactor": 2 }"#);
    assert_eq!(show(&found, "data"), "[1,0,1,0,0,1]");
    assert_eq!(show(&found, "offsets"), "[0,1,3,5]");
    assert_eq!(show(&found, "members"), "[0,1,3,2,4]");
    let found = pool(r#"{ "poolFactor": 1 }"#);
    assert_eq!(show(&found, "members"), "[0,1,2,3,4]");
    assert_eq!(
        code(encoder.pool(rows.clone(), 2, json(r#"{ "poolFactor": 0 }"#))),
        "invalid_option"
    );
}
