//! Texts out of tables.

use std::fs;
use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, LargeStringArray, StringArray,
    StringViewArray,
};

use crate::files::{batch, compressions, texts, write, write_parquet};
use crate::run::Run;

/// More than a chunk of 1024.
const TEXTS: usize = 1500;

/// The same texts as JSON Lines, encoded.
fn expected(run: &Run, texts: usize) {
    let line = |at: usize| {
        let text = format!("text {at} {}", "and more ".repeat(at % 5));
        serde_json::json!({ "text": text, "id": at }).to_string() + "\n"
    };
    let lines: String = (0..texts).map(line).collect();
    fs::write(run.path("in.jsonl"), lines).expect("it is written");
    run.encoded("in.jsonl", "expected.safetensors", &[]);
}

#[test]
fn every_format_has_the_same_texts() {
    let run = Run::new();
    expected(&run, TEXTS);
    let expected = run.tensors("expected.safetensors");
    assert_eq!(expected.len(), TEXTS);
    let rows = texts(0, TEXTS);
    for name in [
        "in.parquet",
        "in.arrow",
        "in.stream.arrow",
        "in.feather",
        "in.csv",
    ] {
        write(&run.path(name), &rows);
        let done = run.encoded(name, "out.safetensors", &[]);
        assert_eq!(done["texts"], TEXTS, "{name}");
        assert!(run.tensors("out.safetensors") == expected, "{name}");
    }
}

#[test]
fn compressed_files_and_all_strings_are_read() {
    let run = Run::new();
    expected(&run, 40);
    let expected = run.tensors("expected.safetensors");
    let rows = texts(0, 40);
    for compression in compressions() {
        write_parquet(&run.path("in.parquet"), &rows, compression);
        run.encoded("in.parquet", "out.safetensors", &[]);
        assert!(
            run.tensors("out.safetensors") == expected,
            "{compression:?}"
        );
    }
    let plain: Vec<String> = (0..40)
        .map(|at| format!("text {at} {}", "and more ".repeat(at % 5)))
        .collect();
    let keys = arrow_array::Int8Array::from_iter_values(0..40);
    let values = Arc::new(StringArray::from(plain.clone()));
    let columns: [ArrayRef; 3] = [
        Arc::new(LargeStringArray::from(plain.clone())),
        Arc::new(StringViewArray::from(plain)),
        Arc::new(DictionaryArray::<Int8Type>::new(keys, values)),
    ];
    for column in columns {
        let kind = column.data_type().clone();
        let ids = StringArray::from_iter_values((0..40).map(|at| at.to_string()));
        let rows = batch(vec![("body", column), ("key", Arc::new(ids))]);
        for name in ["in.parquet", "in.arrow"] {
            write(&run.path(name), &rows);
            let columns = ["--text-column", "body", "--id-column", "key"];
            run.encoded(name, "out.safetensors", &columns);
            assert!(run.tensors("out.safetensors") == expected, "{name} {kind}");
        }
    }
}

#[test]
fn folders_and_patterns_are_read_in_the_order_of_names() {
    let run = Run::new();
    expected(&run, 60);
    let expected = run.tensors("expected.safetensors");
    fs::create_dir(run.path("in")).expect("a folder");
    write(&run.path("in/a.parquet"), &texts(0, 20));
    write(&run.path("in/b.parquet"), &texts(20, 20));
    write(&run.path("in/c.parquet"), &texts(40, 20));
    fs::write(run.path("in/_SUCCESS"), "").expect("it is written");
    for input in ["in", "in/*.parquet", "in/?.parquet"] {
        run.encoded(input, "out.safetensors", &[]);
        assert!(run.tensors("out.safetensors") == expected, "{input}");
    }
    let refused = run.refused("in/*.csv", "out.safetensors", &[]);
    assert!(
        refused.ends_with("expected files whose names match, found none"),
        "{refused}"
    );
}

#[test]
fn keys_of_lines_can_be_named() {
    let run = Run::new();
    fs::write(
        run.path("in.jsonl"),
        "{\"body\": \"Bees\", \"key\": \"a\"}\n{\"key\": 7}\n",
    )
    .expect("it is written");
    let columns = ["--text-column", "body", "--id-column", "key"];
    let refused = run.refused("in.jsonl", "out.safetensors", &columns);
    assert!(
        refused.contains("in.jsonl:2: expected a JSON object with a string"),
        "{refused}"
    );
    let skipping = [&columns[..], &["--on-error", "skip"]].concat();
    run.encoded("in.jsonl", "out.safetensors", &skipping);
    assert!(run.tensors("out.safetensors").contains_key("a"));
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let run = Run::new();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let rows = batch(vec![
        ("number", numbers),
        ("float", floats),
        ("text", words),
    ]);
    for name in ["in.parquet", "in.arrow"] {
        write(&run.path(name), &rows);
        let refused = |more: &[&str]| run.refused(name, "out.parquet", more);
        let path = run.path(name).display().to_string();
        let has = format!("expected a column of {path}, which has `number`, `float`, `text`");
        for flag in ["--text-column", "--id-column", "--keep"] {
            let found = refused(&[flag, "body"]);
            assert_eq!(found, format!("{flag}: {has}, found `body`"));
        }
        let found = refused(&["--text-column", "number"]);
        assert!(found.starts_with(&format!("{path}: column `number`: expected strings")));
        assert!(found.ends_with("found Int64"), "{found}");
        let found = refused(&["--id-column", "float"]);
        assert!(found.starts_with(&format!(
            "{path}: column `float`: expected strings or integers"
        )));
    }
}

#[test]
fn nulls_have_no_tensors_and_are_counted() {
    let run = Run::new();
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some(""), None]));
    write(&run.path("in.parquet"), &batch(vec![("text", words)]));
    let done = run.encoded("in.parquet", "out.safetensors", &[]);
    assert_eq!((&done["texts"], &done["nulls"]), (&2.into(), &2.into()));
    let tensors = run.tensors("out.safetensors");
    assert_eq!(tensors.keys().collect::<Vec<_>>(), ["0", "2"]);
    run.encoded("in.parquet", "out.jsonl", &[]);
    let lines = fs::read_to_string(run.path("out.jsonl")).expect("lines");
    let nulls = lines
        .lines()
        .map(|line| line.contains("\"embedding\":null"));
    assert_eq!(nulls.collect::<Vec<_>>(), [false, true, false, true]);

    let input = run.path("in.parquet").display().to_string();
    let search = [
        "search",
        "--json",
        "--model",
        crate::run::MODEL,
        "--documents",
        &input,
        "a",
    ];
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_multivec"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args(search)
        .output()
        .expect("multivec starts");
    let message = crate::run::last_json(&done)["error"]["message"].clone();
    assert_eq!(message, format!("{input}:2: expected a text, found null"));
}

#[test]
fn damaged_tables_are_named() {
    let run = Run::new();
    for name in ["in.parquet", "in.arrow", "in.csv"] {
        fs::write(run.path(name), "").expect("it is written");
        let found = run.refused(name, "out.parquet", &[]);
        assert!(found.contains(name), "{found}");
    }
    write(&run.path("in.parquet"), &texts(0, 30));
    let bytes = fs::read(run.path("in.parquet")).expect("it is there");
    fs::write(run.path("in.parquet"), &bytes[..bytes.len() - 9]).expect("it is written");
    let found = run.refused("in.parquet", "out.parquet", &[]);
    assert!(
        found.contains("in.parquet: expected a Parquet file"),
        "{found}"
    );
    fs::write(run.path("in.csv"), "id,text\n1,a\n2,b,c\n").expect("it is written");
    let found = run.refused("in.csv", "out.parquet", &[]);
    assert!(
        found.contains("in.csv: expected a whole table") && found.contains("line: 3"),
        "{found}"
    );
}

#[test]
fn ids_that_come_twice_are_named_where_they_name_tensors() {
    let run = Run::new();
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let rows = batch(vec![("id", ids), ("text", words)]);
    write(&run.path("in.parquet"), &rows);
    let found = run.refused("in.parquet", "out.safetensors", &[]);
    assert!(found.contains("in.parquet:3: id 1: "), "{found}");
    let done = run.encoded("in.parquet", "out.parquet", &[]);
    assert_eq!(done["texts"], 3);
}

#[test]
fn texts_that_fail_are_named_by_file_and_row() {
    let run = Run::new();
    fs::create_dir(run.path("in")).expect("a folder");
    write(&run.path("in/a.parquet"), &texts(0, 3));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["short", &"long ".repeat(3000)]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![70, 71]));
    write(
        &run.path("in/b.parquet"),
        &batch(vec![("id", ids), ("text", words)]),
    );
    let strict = ["--truncation", "error"];
    let path = run.path("in/b.parquet").display().to_string();
    let found = run.refused("in", "out.parquet", &strict);
    let expected = format!("{path}:2: id 71: text 4: expected at most");
    assert!(found.starts_with(&expected), "{found}");

    let skipping = [&strict[..], &["--on-error", "skip"]].concat();
    let done = run.encoded("in", "out.parquet", &skipping);
    assert_eq!((&done["texts"], &done["skipped"]), (&4.into(), &1.into()));
    let skipped = &done["skipped_texts"][0];
    assert_eq!(skipped["file"], path);
    assert_eq!((&skipped["line"], &skipped["id"]), (&2.into(), &71.into()));
    let found = crate::files::read(&run.path("out.parquet"));
    assert_eq!(found.integers("index"), [0, 1, 2, 3]);
    assert_eq!(found.integers("id"), [0, 1, 2, 70]);
}
