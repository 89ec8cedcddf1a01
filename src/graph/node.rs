//! Questions about one node.

use super::onnx::{AttributeProto, NodeProto};

impl NodeProto {
    /// The operator, as `domain.Name`; standard operators go by the name alone.
    pub fn operator(&self) -> String {
        let name = self.op_type.as_deref().unwrap_or_default();
        match self.domain.as_deref().unwrap_or_default() {
            "" | "ai.onnx" => name.to_owned(),
            domain => format!("{domain}.{name}"),
        }
    }

    /// Whether this is the standard operator `name`.
    pub fn is(&self, name: &str) -> bool {
        self.op_type.as_deref() == Some(name)
            && matches!(self.domain.as_deref().unwrap_or_default(), "" | "ai.onnx")
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute
            .iter()
            .find(|attribute| attribute.name.as_deref() == Some(name))
    }

    /// An integer attribute, or what the operator takes without it.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name)
            .and_then(|attribute| attribute.i)
            .unwrap_or(default)
    }

    /// A list of integers, where the attribute is given.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name)
            .map(|attribute| attribute.ints.as_slice())
    }

    /// A float attribute, or what the operator takes without it.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name)
            .and_then(|attribute| attribute.f)
            .unwrap_or(default)
    }

    /// A text attribute; empty without it, or where it is not UTF-8.
    pub fn text(&self, name: &str) -> &str {
        self.attribute(name)
            .and_then(|attribute| attribute.s.as_ref())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}
