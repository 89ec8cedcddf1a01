//! Files with other bytes and other values.

use std::sync::LazyLock;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};

use super::super::{ModelFolder, describe};
use super::{folder, read};
use crate::tokenize::TextTokenizer;

static FOLDERS: LazyLock<Vec<ModelFolder>> = LazyLock::new(|| {
    let names = [
        "hub/mv-pylate-xlmr",
        "hub/mv-st-modernbert",
        "hub/mv-stanford-bert",
        "failing/02-mve-6.2-config",
        "tiny-bert",
    ];
    names.map(folder).into()
});

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..300i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(
            &[
                "",
                "..",
                "1_Dense",
                "token_embeddings",
                "query",
                "[MASK]",
                "min"
            ][..]
        )
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::from(Map::from_iter(map))),
        ]
    })
}

/// Replaces the value at any place, or removes it.
fn replace(root: &mut Value, at: Index, value: Value) {
    let mut places = Vec::new();
    let mut open = vec![String::new()];
    while let Some(path) = open.pop() {
        match root.pointer(&path) {
            Some(Value::Object(map)) => {
                let key = |key: &String| key.replace('~', "~0").replace('/', "~1");
                open.extend(map.keys().map(|name| format!("{path}/{}", key(name))));
            }
            Some(Value::Array(items)) => {
                open.extend((0..items.len()).map(|item| format!("{path}/{item}")));
            }
            _ => {}
        }
        places.push(path);
    }
    if let Some(place) = root.pointer_mut(at.get::<String>(&places)) {
        *place = value;
    }
}

fn check(folder: &ModelFolder) -> Result<(), TestCaseError> {
    match describe(folder) {
        Ok(found) => {
            let config = &found.config;
            prop_assert!(config.query_length > 0 && config.document_length > 0);
            prop_assert!(config.expansion_length <= Some(config.query_length));
            prop_assert!(folder.has(&found.tokenizer));
            for weights in &found.weights {
                prop_assert!(folder.has(weights.path()));
            }
            let json = read(folder.location(), "tokenizer.json");
            if let Err(error) = TextTokenizer::from_json("tokenizer.json", &json, config) {
                prop_assert!(["config_value", "invalid_tokenizer"].contains(&error.code()));
            }
        }
        Err(error) => {
            let codes = ["missing_file", "config_syntax", "config_value"];
            prop_assert!(codes.contains(&error.code()), "{}", error);
            prop_assert!(error.to_string().contains(folder.location()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn other_values_are_described_or_refused(
        which in any::<Index>(),
        file in any::<Index>(),
        at in any::<Index>(),
        value in value(),
    ) {
        let folder = which.get(&FOLDERS);
        let files: Vec<&str> = folder.paths().filter(|path| ModelFolder::reads(path)).collect();
        let path = *file.get(&files);
        let content = folder.content(path).unwrap_or_default();
        let mut root: Value = serde_json::from_slice(content).expect("fixtures are valid");
        replace(&mut root, at, value);
        check(&folder.clone().with_file(path, root.to_string()))?;
    }

    #[test]
    fn other_bytes_are_described_or_refused(
        which in any::<Index>(),
        file in any::<Index>(),
        bytes in vec((any::<Index>(), any::<u8>()), 0..4),
        end in proptest::option::of(any::<Index>()),
    ) {
        let folder = which.get(&FOLDERS);
        let files: Vec<&str> = folder.paths().filter(|path| ModelFolder::reads(path)).collect();
        let path = *file.get(&files);
        let mut content = folder.content(path).unwrap_or_default().to_vec();
        for (at, byte) in bytes {
            *at.get_mut(&mut content) = byte;
        }
        if let Some(end) = end {
            content.truncate(end.index(content.len()));
        }
        check(&folder.clone().with_file(path, content))?;
    }
}
