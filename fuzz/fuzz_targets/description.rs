//! Describes the model of a folder of any files: each is a path, a line feed and
//! the content, with a byte between them that no UTF-8 has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use multivec_core::model::{ModelFolder, describe};

fuzz_target!(|bytes: &[u8]| {
    let mut folder = ModelFolder::new("fuzzed");
    for file in bytes.split(|&byte| byte == 0xff) {
        let mut parts = file.splitn(2, |&byte| byte == b'\n');
        let path = String::from_utf8_lossy(parts.next().unwrap_or_default());
        folder = if ModelFolder::reads(&path) {
            folder.with_file(path, parts.next().unwrap_or_default())
        } else {
            folder.with_path(path)
        };
    }
    match describe(&folder) {
        Ok(found) => {
            assert!(found.config.query_length > 0 && found.config.document_length > 0);
            assert!(folder.has(&found.tokenizer));
            assert!(
                found
                    .weights
                    .iter()
                    .all(|weights| folder.has(weights.path()))
            );
        }
        Err(error) => {
            assert!(["missing_file", "config_syntax", "config_value"].contains(&error.code()))
        }
    }
});
