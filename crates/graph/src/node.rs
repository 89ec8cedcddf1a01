//! One node: what passes ask of it, and how they make one.

use super::fuse::DOMAIN;
use super::onnx::{AttributeProto, NodeProto, TensorProto};

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

    /// Whether this is the operator `name` of this project.
    pub(crate) fn is_ours(&self, name: &str) -> bool {
        self.op_type.as_deref() == Some(name) && self.domain.as_deref() == Some(DOMAIN)
    }

    /// Whether this is a `Gemm` that is a product and a sum, with nothing to be
    /// scaled and rows as they are.
    pub(crate) fn is_linear_gemm(&self) -> bool {
        self.is("Gemm")
            && self.int("transA", 0) == 0
            && self.float("alpha", 1.) == 1.
            && self.float("beta", 1.) == 1.
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

    pub(crate) fn with_int(self, name: &str, value: i64) -> Self {
        self.with(AttributeProto {
            i: Some(value),
            ..attribute(name, INT)
        })
    }

    pub(super) fn with_float(self, name: &str, value: f32) -> Self {
        self.with(AttributeProto {
            f: Some(value),
            ..attribute(name, FLOAT)
        })
    }

    pub(super) fn with_ints(self, name: &str, values: &[i64]) -> Self {
        self.with(AttributeProto {
            ints: values.to_vec(),
            ..attribute(name, INTS)
        })
    }

    pub(super) fn with_text(self, name: &str, value: &str) -> Self {
        self.with(AttributeProto {
            s: Some(value.as_bytes().to_vec().into()),
            ..attribute(name, STRING)
        })
    }

    pub(super) fn with_tensor(self, name: &str, value: TensorProto) -> Self {
        self.with(AttributeProto {
            t: Some(value),
            ..attribute(name, TENSOR)
        })
    }

    fn with(mut self, attribute: AttributeProto) -> Self {
        self.attribute.push(attribute);
        self
    }
}

// `AttributeProto.AttributeType`
const FLOAT: i32 = 1;
const INT: i32 = 2;
const STRING: i32 = 3;
const TENSOR: i32 = 4;
const INTS: i32 = 7;

fn attribute(name: &str, kind: i32) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(kind),
        ..AttributeProto::default()
    }
}

/// A node; its first output is its name.
pub(crate) fn node(operator: &str, domain: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    NodeProto {
        input: owned(inputs),
        output: owned(outputs),
        name: outputs.first().map(|&name| name.to_owned()),
        op_type: Some(operator.to_owned()),
        domain: (!domain.is_empty()).then(|| domain.to_owned()),
        ..NodeProto::default()
    }
}
