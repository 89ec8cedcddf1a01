//! Errors as JavaScript sees them.

use js_sys::Reflect;
use multivec_core::Error;
use wasm_bindgen::JsValue;

/// A result that JavaScript gets as a value or as a thrown `Error`.
pub(super) type JsResult<T> = Result<T, JsValue>;

/// An `Error` with the property `code`, see [`Error::code`].
pub(super) fn to_js(error: Error) -> JsValue {
    let code = error.code();
    let message = match error {
        // Options are in snake case in Rust, in camel case in JavaScript.
        Error::InvalidOption {
            option,
            expected,
            found,
            ..
        } => format!(
            "option `{}`: expected {expected}, found {found}",
            camel_case(option)
        ),
        other => other.to_string(),
    };
    new(code, &message)
}

/// An `Error` with the properties `message` and `code`.
pub(super) fn new(code: &str, message: &str) -> JsValue {
    let error: JsValue = js_sys::Error::new(message).into();
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(&error, &"code".into(), &code.into());
    error
}

fn camel_case(name: &str) -> String {
    let mut upper = false;
    name.chars()
        .filter_map(|character| {
            let starts = std::mem::replace(&mut upper, character == '_');
            match character {
                '_' => None,
                _ if starts => Some(character.to_ascii_uppercase()),
                _ => Some(character),
            }
        })
        .collect()
}
