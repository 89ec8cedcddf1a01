//! tract's errors in words.

use tract_core::prelude::TractError;

/// Values in a row that are shown.
const SHOWN: usize = 4;

/// An error with all its causes, without the values of tensors: tract prints
/// the first twelve of each tensor that it mentions.
pub(super) fn message(error: &TractError) -> String {
    shorten(&format!("{error:#}"))
}

fn shorten(text: &str) -> String {
    let mut short = String::new();
    let mut values = 0;
    for (at, part) in text.split(", ").enumerate() {
        let is_value = part.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let rest = if is_value {
            part.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.eE".contains(c))
        } else {
            part
        };
        if at > 0 && is_value && values >= SHOWN {
            if values == SHOWN {
                short.push_str(", ...");
            }
            short.push_str(rest);
        } else {
            if at > 0 {
                short.push_str(", ");
            }
            short.push_str(part);
        }
        values = if is_value && rest.is_empty() {
            values + 1
        } else {
            // A list starts with what ends in a value, as in `2,3,F32 0.5`.
            let last = part.rsplit(' ').next().unwrap_or_default();
            usize::from(last.parse::<f64>().is_ok())
        };
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_tensors_are_left_out() {
        let tensor = "slicing 400,64,F32 -0.19, 1e-3, 0.02, 0.4, 0.5, -0.06, 0.7... on axis 0";
        assert_eq!(
            shorten(tensor),
            "slicing 400,64,F32 -0.19, 1e-3, 0.02, 0.4, ... on axis 0"
        );
        let all = "a 5,I64 1, 2, 3, 4, 5, b 6,I64 1, 2, 3, 4, 5, 6";
        assert_eq!(
            shorten(all),
            "a 5,I64 1, 2, 3, 4, ..., b 6,I64 1, 2, 3, 4, ..."
        );
    }

    #[test]
    fn other_lists_are_as_they_were() {
        for text in ["", "expected [2, 3, 4], found [5, 6]", "Conv, NonZero, If"] {
            assert_eq!(shorten(text), text);
        }
    }
}
