//! Reading and making single nodes and tensors.

use crate::onnx::{AttributeProto, BOOL, INT64, NodeProto, TensorProto};
use crate::operators::{CONTRIB_DOMAIN, DOMAIN, LINEAR, POOLED_LINEAR};

impl NodeProto {
    /// The operator, as `domain.Name`, or as `Name` for standard operators.
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

    /// Whether this is the operator `name` of our [`DOMAIN`].
    pub(crate) fn is_ours(&self, name: &str) -> bool {
        self.op_type.as_deref() == Some(name) && self.domain.as_deref() == Some(DOMAIN)
    }

    /// Whether this is the operator `name` of ONNX Runtime's own domain.
    pub(crate) fn is_contrib(&self, name: &str) -> bool {
        self.op_type.as_deref() == Some(name) && self.domain.as_deref() == Some(CONTRIB_DOMAIN)
    }

    /// Whether this is a [layer](Self::is_layer) with 8-bit weights.
    pub(crate) fn is_quantized_linear(&self) -> bool {
        // Weights of floats have no scales.
        self.is_layer() && self.input.get(2).is_some_and(|scales| !scales.is_empty())
    }

    /// Whether this is our `Linear`, or one whose outputs are joined over tokens.
    pub(crate) fn is_layer(&self) -> bool {
        self.is_ours(LINEAR) || self.is_ours(POOLED_LINEAR)
    }

    /// Whether this node contains graphs: those of `If`, `Loop` and `Scan`.
    pub(crate) fn has_subgraph(&self) -> bool {
        self.attribute
            .iter()
            .any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty())
    }

    /// The other operand of a node with two, one of which is `operand`.
    pub(crate) fn other_operand(&self, operand: &str) -> Option<&str> {
        match self.input.as_slice() {
            [left, right] if left == operand && right != operand => Some(right),
            [left, right] if right == operand && left != operand => Some(left),
            _ => None,
        }
    }

    /// Whether this is a `Gemm` that computes `a @ b + c`: nothing is scaled
    /// and `a` is not transposed.
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

    /// An integer attribute, or `default` without it.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name)
            .and_then(|attribute| attribute.i)
            .unwrap_or(default)
    }

    /// An attribute that is a list of integers.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name)
            .map(|attribute| attribute.ints.as_slice())
    }

    /// A float attribute, or `default` without it.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name)
            .and_then(|attribute| attribute.f)
            .unwrap_or(default)
    }

    /// A string attribute; empty without it, or if it is not UTF-8.
    pub fn string(&self, name: &str) -> &str {
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

    pub(crate) fn with_float(self, name: &str, value: f32) -> Self {
        self.with(AttributeProto {
            f: Some(value),
            ..attribute(name, FLOAT)
        })
    }

    pub(crate) fn with_ints(self, name: &str, values: &[i64]) -> Self {
        self.with(AttributeProto {
            ints: values.to_vec(),
            ..attribute(name, INTS)
        })
    }

    pub(crate) fn with_string(self, name: &str, value: &str) -> Self {
        self.with(AttributeProto {
            s: Some(value.as_bytes().to_vec().into()),
            ..attribute(name, STRING)
        })
    }

    pub(crate) fn with_tensor(self, name: &str, value: TensorProto) -> Self {
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

/// A node that is named after its first output.
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

/// A `Constant` of 64-bit integers, `[values]`.
pub(crate) fn constant_node(output: &str, values: &[i64]) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(INT64),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    };
    node("Constant", "", &[], &[output]).with_tensor("value", tensor)
}

/// A `Constant` of floats, `[values]`.
pub(crate) fn floats_node(output: &str, values: &[f32]) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(crate::onnx::FLOAT),
        float_data: values.to_vec(),
        ..TensorProto::default()
    };
    node("Constant", "", &[], &[output]).with_tensor("value", tensor)
}

/// The elements of a tensor of 64-bit integers or booleans.
pub(crate) fn integer_elements(tensor: &TensorProto) -> Option<Vec<i64>> {
    match (tensor.data_type, &tensor.raw_data) {
        (Some(INT64), Some(raw)) => Some(elements(raw, i64::from_le_bytes)),
        (Some(INT64), None) => Some(tensor.int64_data.clone()),
        (Some(BOOL), Some(raw)) => Some(raw.iter().map(|&bit| i64::from(bit)).collect()),
        (Some(BOOL), None) => Some(tensor.int32_data.iter().copied().map(i64::from).collect()),
        _ => None,
    }
}

/// The elements of a tensor's little-endian bytes.
pub(crate) fn elements<T, const N: usize>(raw: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks().0.iter().copied().map(read).collect()
}
