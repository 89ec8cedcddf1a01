//! Normalizations, activations and gated layers as exporters write them, in the
//! form of [`notation`](crate::notation).

/// What is found in a graph when it is fused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormCounts {
    pub rms_normalizations: usize,
    /// GELUs and others.
    pub activations: usize,
    pub linears: usize,
    pub gated: usize,
}

pub struct FormCase {
    pub lines: &'static str,
    pub found: FormCounts,
}

const NORM: FormCounts = FormCounts {
    rms_normalizations: 1,
    activations: 0,
    linears: 0,
    gated: 0,
};
const ACTIVATION: FormCounts = FormCounts {
    activations: 1,
    rms_normalizations: 0,
    ..NORM
};
const LAYER: FormCounts = FormCounts {
    linears: 1,
    ..ACTIVATION
};
const GATE: FormCounts = FormCounts { gated: 1, ..LAYER };
const PAIR: FormCounts = FormCounts { linears: 2, ..GATE };

/// Cases for operator set 17.
pub const FORM_CASES: &[FormCase] = &[
    FormCase {
        lines: "a = Pow(x, two)\n b = ReduceMean(a) axes=[-1]\n c = Add(b, tiny)\n d = Sqrt(c)\n e = Div(x, d)\n output = Mul(e, row)",
        found: NORM,
    },
    FormCase {
        lines: "a = Mul(x, x)\n b = ReduceMean(a) axes=[2]\n c = Add(b, half)\n d = Sqrt(c)\n e = Reciprocal(d)\n f = Mul(x, e)\n w = Add(one, row)\n output = Mul(w, f)",
        found: NORM,
    },
    // Without a scale, on heads.
    FormCase {
        lines: "h = Reshape(x, heads)\n a = Mul(h, h)\n b = ReduceMean(a) axes=[-1]\n c = Add(b, half)\n d = Sqrt(c)\n e = Div(h, d)\n output = Reshape(e, merged)",
        found: NORM,
    },
    FormCase {
        lines: "output = SimplifiedLayerNormalization(x, row) axis=-1 epsilon=0.01",
        found: NORM,
    },
    // The sum is read again.
    FormCase {
        lines: "s = Add(x, p)\n a = Mul(s, s)\n b = ReduceMean(a) axes=[-1]\n c = Add(b, half)\n d = Sqrt(c)\n e = Div(s, d)\n f = Mul(e, row)\n output = Add(f, s)",
        found: NORM,
    },
    FormCase {
        lines: "s = Sigmoid(x)\n output = Mul(x, s)",
        found: ACTIVATION,
    },
    FormCase {
        lines: "r = Relu(x)\n output = Mul(r, r)",
        found: ACTIVATION,
    },
    FormCase {
        lines: "v = MatMul(x, square)\n s = Sigmoid(v)\n output = Mul(s, v)",
        found: LAYER,
    },
    FormCase {
        lines: "v = MatMul(x, square)\n a = Add(v, row)\n r = Relu(a)\n output = Pow(r, two)",
        found: LAYER,
    },
    FormCase {
        lines: "v = MatMul(x, square)\n output = Relu(v)",
        found: FormCounts {
            activations: 0,
            ..LAYER
        },
    },
    // Halves, the first or the second of which is activated.
    FormCase {
        lines: "v = MatMul(x, square)\n g, u = Split(v) axis=2\n s = Sigmoid(g)\n a = Mul(g, s)\n output = Mul(a, u)",
        found: GATE,
    },
    FormCase {
        lines: "m = MatMul(x, square)\n v = Add(m, row)\n u, g = Split(v) axis=2\n s = Sigmoid(g)\n a = Mul(g, s)\n output = Mul(u, a)",
        found: GATE,
    },
    FormCase {
        lines: "v = MatMul(x, square)\n u, g = Split(v) axis=-1\n a = Relu(g)\n output = Mul(a, u)",
        found: FormCounts {
            activations: 0,
            ..GATE
        },
    },
    // Two layers, with a bias or without, and a third one with a residual.
    FormCase {
        lines: "w = Transpose(square) perm=[1,0]\n g = MatMul(x, square)\n u = MatMul(x, w)\n s = Sigmoid(g)\n a = Mul(g, s)\n output = Mul(a, u)",
        found: PAIR,
    },
    FormCase {
        lines: "w = Transpose(square) perm=[1,0]\n g = MatMul(x, square)\n v = MatMul(x, w)\n u = Add(v, row)\n e = Div(g, root_two)\n f = Erf(e)\n h = Add(f, one)\n i = Mul(g, h)\n a = Mul(i, half)\n m = Mul(u, a)\n t = MatMul(m, square)\n output = Add(x, t)",
        found: FormCounts { linears: 3, ..PAIR },
    },
    // Layers of other rows are no gate.
    FormCase {
        lines: "w = Transpose(square) perm=[1,0]\n g = MatMul(x, square)\n u = MatMul(p, w)\n s = Sigmoid(g)\n a = Mul(g, s)\n output = Mul(a, u)",
        found: FormCounts { gated: 0, ..PAIR },
    },
];
