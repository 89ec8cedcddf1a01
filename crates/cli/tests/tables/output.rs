//! Embeddings in tables.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use multivec::corpus::VectorPrecision;
use multivec_arrow::{EmbeddingArrays, EmbeddingMetadata, MultiVectorBuilder};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use crate::files::{batch, read, texts, write};
use crate::run::{DIM, MODEL, Run, last_json};

#[test]
fn vectors_are_those_of_safetensors() {
    let run = Run::new();
    write(&run.path("in.parquet"), &texts(100, 50));
    run.encoded("in.parquet", "expected.safetensors", &[]);
    let tensors = run.tensors("expected.safetensors");
    for name in ["out.parquet", "out.arrow"] {
        let done = run.encoded("in.parquet", name, &["--keep", "lang,text"]);
        let found = read(&run.path(name));
        let names: Vec<_> = found
            .schema
            .fields()
            .iter()
            .map(|field| field.name())
            .collect();
        let expected = ["index", "id", "lang", "text", "embedding", "truncated"];
        assert_eq!(names, expected);
        assert_eq!(found.integers("index"), (0..50).collect::<Vec<_>>());
        assert_eq!(found.integers("id"), (100..150).collect::<Vec<_>>());
        assert_eq!(
            found.texts("lang")[..3],
            ["fr", "ä", "en"].map(|it| Some(it.to_owned()))
        );
        assert_eq!(found.texts("text")[0].as_deref(), Some("text 100 "));
        for (id, embedding) in found.integers("id").iter().zip(found.embeddings()) {
            assert!(
                embedding.as_ref() == tensors.get(&id.to_string()),
                "{name} {id}"
            );
        }
        let truncated = found.column("truncated").as_boolean();
        assert_eq!(
            truncated.true_count() as u64,
            done["truncated"].as_u64().expect("a count")
        );

        let metadata = EmbeddingMetadata::from_map(found.schema.metadata()).expect("metadata");
        assert_eq!(metadata.kind.as_deref(), Some("multi-vector"));
        assert_eq!(metadata.texts.as_deref(), Some("document"));
        assert_eq!(metadata.precision.as_deref(), Some("f32"));
        assert_eq!(metadata.dim, Some(DIM));
        assert_eq!(metadata.pooling, None);
        let fingerprint = &done["fingerprint"];
        assert_eq!(json!(metadata.space), fingerprint["space"]);
        assert_eq!(json!(metadata.computed), fingerprint["computed"]);
    }
    // Where those look who do not read Arrow's schema.
    let file = fs::File::open(run.path("out.parquet")).expect("the output");
    let reader = SerializedFileReader::new(file).expect("Parquet");
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let metadata = metadata.expect("metadata").iter();
    assert!(metadata.clone().any(|it| it.key == "multivec.space"));
}

#[test]
fn less_precision_is_that_of_a_corpus() {
    let run = Run::new();
    write(&run.path("in.parquet"), &texts(0, 30));
    run.encoded("in.parquet", "f32.parquet", &[]);
    let exact = read(&run.path("f32.parquet")).embeddings();
    for precision in VectorPrecision::ALL {
        let store = ["--store", precision.name()];
        run.encoded("in.parquet", "out.parquet", &store);
        run.encoded("in.parquet", "out.arrow", &store);
        let mut builder = MultiVectorBuilder::new(DIM, precision).expect("a column");
        for embedding in exact.iter().flatten() {
            builder.push(embedding).expect("finite");
        }
        let expected = builder.finish().and_then(EmbeddingArrays::with_short_lists);
        let expected = expected.expect("arrays");
        for name in ["out.parquet", "out.arrow"] {
            let found = read(&run.path(name)).arrays();
            assert_eq!(&found.values, &expected.values, "{name} {precision}");
            assert_eq!(&found.scales, &expected.scales, "{name} {precision}");
        }
    }
    // A byte a number, four for the scale of 32 of them, and what is beside.
    write(&run.path("in.parquet"), &texts(0, 1000));
    let size = |store: &str| {
        run.encoded("in.parquet", "out.parquet", &["--store", store]);
        let file = fs::metadata(run.path("out.parquet"));
        file.expect("the output is there").len()
    };
    assert!(size("int8") * 3 < size("f32"));
}

#[test]
fn texts_that_are_null_have_nulls() {
    let run = Run::new();
    let words: ArrayRef = Arc::new(StringArray::from(vec![None, Some("a"), None, Some("b")]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None, Some(7), Some(8)]));
    write(
        &run.path("in.parquet"),
        &batch(vec![("id", ids.clone()), ("text", words)]),
    );
    for name in ["out.parquet", "out.arrow"] {
        let done = run.encoded("in.parquet", name, &[]);
        assert_eq!((&done["texts"], &done["nulls"]), (&2.into(), &2.into()));
        let found = read(&run.path(name));
        assert_eq!(found.column("id"), &ids);
        let nulls = found
            .embeddings()
            .iter()
            .map(Option::is_none)
            .collect::<Vec<_>>();
        assert_eq!(nulls, [true, false, true, false]);
        let truncated = found.column("truncated");
        assert_eq!(
            (0..4).map(|at| truncated.is_null(at)).collect::<Vec<_>>(),
            nulls
        );
    }
}

#[test]
fn lines_have_their_ids_as_strings() {
    let run = Run::new();
    let lines = "{\"text\": \"a\", \"id\": \"x\"}\n{\"text\": \"b\"}\n{\"text\": 1}\n{\"text\": \"c\", \"id\": 7}\n";
    fs::write(run.path("in.jsonl"), lines).expect("it is written");
    run.encoded("in.jsonl", "out.parquet", &["--on-error", "skip"]);
    let found = read(&run.path("out.parquet"));
    assert_eq!(found.integers("index"), [0, 1, 3]);
    let ids = found.texts("id");
    assert_eq!(ids, [Some("x".to_owned()), None, Some("7".to_owned())]);
}

#[test]
fn inputs_without_rows_make_tables_without_rows() {
    let run = Run::new();
    write(&run.path("in.parquet"), &texts(0, 0));
    for name in ["out.parquet", "out.arrow", "out/"] {
        let done = run.encoded("in.parquet", name, &["--keep", "lang"]);
        assert_eq!(done["texts"], 0);
        let name = if name == "out/" {
            "out/part-00000.parquet"
        } else {
            name
        };
        let found = read(&run.path(name));
        assert_eq!(found.rows.num_rows(), 0);
        assert!(found.schema.field_with_name("embedding").is_ok());
    }
}

#[test]
fn dense_and_sparse_embeddings_have_tables() {
    let run = Run::new();
    write(&run.path("in.parquet"), &texts(0, 5));
    let model = ["--model", "tests/fixtures/hub/dense-bert-cls"];
    run.encoded("in.parquet", "out.parquet", &model);
    let found = read(&run.path("out.parquet"));
    let metadata = EmbeddingMetadata::from_map(found.schema.metadata()).expect("metadata");
    assert_eq!(metadata.kind.as_deref(), Some("dense"));
    let dense = found.arrays().dense(metadata.dim.expect("columns"));
    let dense = dense.expect("embeddings");
    run.encoded("in.parquet", "out.safetensors", &model);
    let bytes = fs::read(run.path("out.safetensors")).expect("it is there");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    for (id, embedding) in dense.iter().enumerate() {
        let tensor = tensors.tensor(&id.to_string()).expect("a tensor");
        let values = embedding.as_ref().expect("no null").values.iter();
        let values: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        assert!(tensor.data() == values, "{id}");
    }

    let model = ["--model", "tests/fixtures/hub/sparse-bert-splade"];
    run.encoded("in.parquet", "out.parquet", &model);
    let found = read(&run.path("out.parquet"));
    let metadata = EmbeddingMetadata::from_map(found.schema.metadata()).expect("metadata");
    assert_eq!(metadata.kind.as_deref(), Some("sparse"));
    let sparse = found.arrays().sparse(metadata.dim.expect("tokens"));
    let sparse = sparse.expect("embeddings");
    run.encoded("in.parquet", "out.safetensors", &model);
    let bytes = fs::read(run.path("out.safetensors")).expect("it is there");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    for (id, embedding) in sparse.iter().enumerate() {
        let embedding = embedding.as_ref().expect("no null");
        let tensor = tensors.tensor(&format!("{id}.values")).expect("a tensor");
        let values: Vec<u8> = embedding
            .values
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect();
        assert!(tensor.data() == values, "{id}");
    }
    let refused = [&model[..], &["--store", "int8"]].concat();
    let found = run.refused("in.parquet", "out.parquet", &refused);
    assert_eq!(
        found,
        "--store: expected f32 for sparse vectors, found int8"
    );
}

#[test]
fn columns_that_cannot_be_kept_are_refused() {
    let run = Run::new();
    write(&run.path("in.parquet"), &texts(0, 3));
    fs::write(run.path("in.jsonl"), "{\"text\": \"a\"}\n").expect("it is written");
    for (input, output, keep) in [
        ("in.parquet", "out.safetensors", "lang"),
        ("in.parquet", "out.parquet", "lang,lang"),
        ("in.parquet", "out.parquet", "id"),
        ("in.jsonl", "out.parquet", "lang"),
    ] {
        let found = run.refused(input, output, &["--keep", keep]);
        assert!(found.starts_with("--keep: expected "), "{found}");
    }
    fs::create_dir(run.path("in")).expect("a folder");
    write(&run.path("in/a.parquet"), &texts(0, 3));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let rows = batch(vec![
        ("id", numbers.clone()),
        ("lang", numbers),
        ("text", words),
    ]);
    write(&run.path("in/b.parquet"), &rows);
    let found = run.refused("in", "out.parquet", &["--keep", "lang"]);
    let expected = "`id` Int64, `lang` Utf8, found `id` Int64, `lang` Int64";
    assert!(
        found.contains("b.parquet: expected the columns of"),
        "{found}"
    );
    assert!(found.ends_with(expected), "{found}");
}

#[test]
fn tables_are_searched_like_corpora() {
    let run = Run::new();
    let words: ArrayRef = Arc::new(StringArray::from(vec![
        Some("bees"),
        None,
        Some("the Moon"),
    ]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(70), Some(71), None]));
    write(
        &run.path("in.parquet"),
        &batch(vec![("id", ids), ("text", words)]),
    );
    for store in ["f32", "f16", "int8", "bits"] {
        let search = |name: &str| {
            run.encoded("in.parquet", name, &["--store", store]);
            let done = Command::new(env!("CARGO_BIN_EXE_multivec"))
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
                .args(["search", "--json", "--model", MODEL, "--precision", "fp32"])
                .arg("--vectors")
                .arg(run.path(name))
                .arg("the Moon")
                .output()
                .expect("multivec starts");
            assert!(done.status.success(), "{done:?}");
            last_json(&done)["results"][0]["documents"].clone()
        };
        let corpus = search("corpus");
        let ids = |found: &Value| {
            let found = found.as_array().expect("documents").iter();
            let mut ids: Vec<Value> = found.map(|it| it["id"].clone()).collect();
            ids.sort_by_key(Value::to_string);
            ids
        };
        assert_eq!(ids(&corpus), ["2", "70"]);
        for name in ["out.parquet", "out.arrow"] {
            let found = search(name);
            for (one, other) in [(&found[0], &corpus[0]), (&found[1], &corpus[1])] {
                assert_eq!(one["id"], other["id"], "{name} {store}");
                let score = |it: &Value| it["score"].as_f64().expect("a score");
                assert!((score(one) - score(other)).abs() < 1e-4, "{name} {store}");
            }
        }
    }
}
