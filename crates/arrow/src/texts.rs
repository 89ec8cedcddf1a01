//! Texts of string arrays.

use arrow_array::cast::AsArray;
use arrow_array::{Array, LargeStringArray, StringArray, StringViewArray};
use arrow_schema::DataType;
use multivec_core::{Error, Result};

/// The texts of an array of strings: `Utf8`, `LargeUtf8`, `Utf8View`,
/// dictionaries of these, or `Null`.
#[derive(Debug)]
pub struct Texts<'a> {
    form: Form<'a>,
    len: usize,
}

#[derive(Debug)]
enum Form<'a> {
    Short(&'a StringArray),
    Long(&'a LargeStringArray),
    View(&'a StringViewArray),
    Dictionary {
        /// Those of nulls are of any value.
        keys: Vec<usize>,
        nulls: &'a dyn Array,
        values: Box<Texts<'a>>,
    },
    /// All are null.
    Nulls,
}

impl<'a> Texts<'a> {
    /// Takes the texts of an array; `column` is what errors call it.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for an array of another type.
    pub fn new(column: &str, array: &'a dyn Array) -> Result<Self> {
        let form = match array.data_type() {
            DataType::Utf8 => array.as_string_opt().map(Form::Short),
            DataType::LargeUtf8 => array.as_string_opt().map(Form::Long),
            DataType::Utf8View => array.as_string_view_opt().map(Form::View),
            DataType::Dictionary(_, values) if is_text(values) => {
                dictionary(column, array).transpose()?
            }
            DataType::Null => Some(Form::Nulls),
            _ => None,
        };
        let form = form.ok_or_else(|| {
            let expected = "strings (Utf8, LargeUtf8, Utf8View, or a dictionary of these)";
            Error::invalid_file(format!("column `{column}`"), expected, array.data_type())
        })?;
        Ok(Self {
            form,
            len: array.len(),
        })
    }

    /// The number of texts, nulls included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A text; `None` where it is null, and beyond the last one.
    pub fn get(&self, at: usize) -> Option<&'a str> {
        if at >= self.len {
            return None;
        }
        match &self.form {
            Form::Short(array) => array.is_valid(at).then(|| array.value(at)),
            Form::Long(array) => array.is_valid(at).then(|| array.value(at)),
            Form::View(array) => array.is_valid(at).then(|| array.value(at)),
            Form::Dictionary {
                keys,
                nulls,
                values,
            } => nulls.is_valid(at).then(|| values.get(keys[at])).flatten(),
            Form::Nulls => None,
        }
    }

    /// All texts in order, `None` for nulls.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&'a str>> + '_ {
        (0..self.len).map(|at| self.get(at))
    }
}

fn is_text(values: &DataType) -> bool {
    matches!(
        values,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn dictionary<'a>(column: &str, array: &'a dyn Array) -> Option<Result<Form<'a>>> {
    let array = array.as_any_dictionary_opt()?;
    // Without values all keys are null.
    if array.values().is_empty() {
        return Some(Ok(Form::Nulls));
    }
    let values = match Texts::new(column, array.values().as_ref()) {
        Ok(values) => Box::new(values),
        Err(error) => return Some(Err(error)),
    };
    Some(Ok(Form::Dictionary {
        keys: array.normalized_keys(),
        nulls: array.keys(),
        values,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{ArrayRef, DictionaryArray, Int64Array, NullArray};

    use super::*;

    #[test]
    fn every_layout_has_the_same_texts() {
        let texts = [Some("a"), None, Some(""), Some("a"), Some("ß 日本")];
        let keys = [Some(0), None, Some(1), Some(0), Some(2)];
        let values = || ["a", "", "ß 日本"];
        let dictionary = |values: ArrayRef| -> ArrayRef {
            let keys = arrow_array::Int8Array::from(keys.to_vec());
            Arc::new(DictionaryArray::<Int8Type>::new(keys, values))
        };
        let arrays: [ArrayRef; 6] = [
            Arc::new(StringArray::from(texts.to_vec())),
            Arc::new(LargeStringArray::from(texts.to_vec())),
            Arc::new(StringViewArray::from(texts.to_vec())),
            dictionary(Arc::new(StringArray::from(values().to_vec()))),
            dictionary(Arc::new(LargeStringArray::from(values().to_vec()))),
            dictionary(Arc::new(StringViewArray::from(values().to_vec()))),
        ];
        for array in &arrays {
            let found = Texts::new("text", array).expect("strings");
            assert_eq!(found.iter().collect::<Vec<_>>(), texts, "{array:?}");
            assert_eq!(found.get(texts.len()), None);
            let part = array.slice(1, 3);
            let found = Texts::new("text", &part).expect("strings");
            assert_eq!(found.iter().collect::<Vec<_>>(), texts[1..4]);
        }
    }

    #[test]
    fn columns_of_nulls_have_no_texts() {
        let none: Vec<Option<&str>> = Vec::new();
        let empty: ArrayRef = Arc::new(StringArray::from(none));
        let keys = arrow_array::Int8Array::from(vec![None, None]);
        let arrays: [ArrayRef; 2] = [
            Arc::new(NullArray::new(2)),
            Arc::new(DictionaryArray::<Int8Type>::new(keys, empty)),
        ];
        for array in &arrays {
            let found = Texts::new("text", array).expect("strings");
            assert_eq!(found.iter().collect::<Vec<_>>(), [None, None]);
        }
    }

    #[test]
    fn other_types_are_refused_by_column_and_type() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let keys = arrow_array::Int8Array::from(vec![0]);
        let arrays: [(ArrayRef, &str); 2] = [
            (numbers.clone(), "found Int64"),
            (
                Arc::new(DictionaryArray::<Int8Type>::new(keys, numbers)),
                "found Dictionary(Int8, Int64)",
            ),
        ];
        for (array, found) in &arrays {
            let error = Texts::new("body", array).expect_err("not strings");
            let message = error.to_string();
            assert!(message.starts_with("column `body`: expected strings"));
            assert!(message.ends_with(found), "{message}");
        }
    }
}
