//! Operators that stand for several others in small graphs, see
//! [`notation`](crate::notation).

/// Operators of sets 23 and 24, as in [`CASES`](crate::operators::CASES).
pub const NEW_CASES: &[(&str, &str)] = &[
    (
        "Attention of rows",
        "output = Attention(x, p, x) q_num_heads=2 kv_num_heads=2",
    ),
    (
        "Attention of rows, grouped heads, scale, cap",
        "k = Gather(x, places_4) axis=2\n v = Gather(p, places_4) axis=2\n output = Attention(x, k, v) q_num_heads=4 kv_num_heads=2 scale=0.9 softcap=1.5",
    ),
    (
        "Attention of heads, a mask of booleans for each text",
        "r = Reshape(x, heads)\n h = Transpose(r) perm=[0,2,1,3]\n b = Cast(attention_mask) to=9\n g = Unsqueeze(b, middle)\n s = Shape(x)\n l = Gather(s, one_list)\n f = Gather(s, zero_list)\n q = Concat(f, one_list, l, l) axis=0\n m = Expand(g, q)\n a = Attention(h, h, h, m)\n t = Transpose(a) perm=[0,2,1,3]\n output = Reshape(t, merged)",
    ),
    (
        "Attention with an added mask of two axes, causal",
        "s = Shape(x)\n l = Gather(s, one_list)\n ll = Concat(l, l) axis=0\n e = ConstantOfShape(ll)\n u = Add(e, half)\n t = Trilu(u)\n output = Attention(x, x, p, t) q_num_heads=2 kv_num_heads=2 is_causal=1",
    ),
    (
        "Attention with a mask of booleans of two axes, cap, rows that see nothing",
        "s = Shape(x)\n l = Gather(s, one_list)\n ll = Concat(l, l) axis=0\n e = ConstantOfShape(ll)\n u = Add(e, half)\n t = Trilu(u, one_i)\n m = Cast(t) to=9\n output = Attention(x, x, p, m) q_num_heads=2 kv_num_heads=2 softcap=2.5",
    ),
    (
        "Attention with a mask for each head",
        "s = Shape(x)\n l = Gather(s, one_list)\n h = Concat(two_list, l, l) axis=0\n e = ConstantOfShape(h)\n c = CumSum(e, last_i)\n q = Reshape(two_floats, heads_first)\n u = Add(e, q)\n t = CumSum(u, last_i)\n output = Attention(x, x, p, t) q_num_heads=2 kv_num_heads=2",
    ),
    (
        "Attention with values of another width",
        "v = Gather(p, places_4) axis=2\n a = Attention(x, p, v) q_num_heads=2 kv_num_heads=2\n output = Concat(a, a) axis=2",
    ),
    (
        "RotaryEmbedding of rows, tables for all texts",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n s = Shape(x)\n l = Gather(s, one_list)\n t = Slice(a, zero_list, l)\n u = Unsqueeze(t, zero_list)\n b = Gather(s, zero_list)\n ones = Concat(b, one_list, one_list) axis=0\n e = Expand(u, ones)\n c = Cos(e)\n d = Sin(e)\n output = RotaryEmbedding(x, c, d) num_heads=2",
    ),
    (
        "RotaryEmbedding of heads, by positions, interleaved",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n c = Cos(a)\n d = Sin(a)\n n = CumSum(attention_mask, axis1)\n r = Reshape(x, heads_of_4)\n h = Transpose(r) perm=[0,2,1,3]\n e = RotaryEmbedding(h, c, d, n) interleaved=1\n t = Transpose(e) perm=[0,2,1,3]\n output = Reshape(t, merged)",
    ),
    (
        "RotaryEmbedding of some columns",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n c = Cos(a)\n d = Sin(a)\n n = CumSum(attention_mask, axis1)\n g = RotaryEmbedding(x, c, d, n) num_heads=1 rotary_embedding_dim=4\n output = RotaryEmbedding(g, c, d, n) num_heads=1 rotary_embedding_dim=4 interleaved=1",
    ),
    (
        "Rotated rows in an Attention, tables for all texts",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n s = Shape(x)\n l = Gather(s, one_list)\n t = Slice(a, zero_list, l)\n u = Unsqueeze(t, zero_list)\n c = Cos(u)\n d = Sin(u)\n q = RotaryEmbedding(x, c, d) num_heads=2\n k = RotaryEmbedding(p, c, d) num_heads=2\n output = Attention(q, k, x) q_num_heads=2 kv_num_heads=2",
    ),
    (
        "Rotated rows in an Attention",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n c = Cos(a)\n d = Sin(a)\n n = CumSum(attention_mask, axis1)\n q = RotaryEmbedding(x, c, d, n) num_heads=2\n k = RotaryEmbedding(p, c, d, n) num_heads=2\n b = Cast(attention_mask) to=9\n g = Unsqueeze(b, middle)\n s = Shape(x)\n l = Gather(s, one_list)\n e = Gather(s, zero_list)\n h = Concat(e, one_list, l, l) axis=0\n m = Expand(g, h)\n output = Attention(q, k, x, m) q_num_heads=2 kv_num_heads=2",
    ),
    (
        "RMSNormalization",
        "output = RMSNormalization(x, row) epsilon=0.001",
    ),
];

/// Operators of set 24 that set 23 does not have.
pub const NEWEST_CASES: &[(&str, &str)] = &[
    ("Swish", "a = Swish(x)\n output = Swish(a) alpha=1.5"),
    (
        "Attention of set 24",
        "output = Attention(x, p, x) q_num_heads=2 kv_num_heads=2 is_causal=1",
    ),
];

/// Operators of ONNX Runtime's domain.
pub const CONTRIB_CASES: &[(&str, &str)] = &[
    ("BiasGelu", "output = com.microsoft.BiasGelu(x, row)"),
    (
        "FastGelu with a bias",
        "output = com.microsoft.FastGelu(x, row)",
    ),
    (
        "QuickGelu",
        "a = com.microsoft.QuickGelu(x)\n output = com.microsoft.QuickGelu(a) alpha=1.0",
    ),
    (
        "SkipLayerNormalization",
        "output = com.microsoft.SkipLayerNormalization(x, p, row, row, row) epsilon=0.001",
    ),
    (
        "SkipLayerNormalization whose sum is read, without a shift",
        "a, , , b = com.microsoft.SkipLayerNormalization(x, p, row)\n output = Add(a, b)",
    ),
    (
        "SkipLayerNormalization of a product",
        "m = MatMul(x, square)\n a, , , b = com.microsoft.SkipLayerNormalization(p, m, row, , row)\n output = Add(a, b)",
    ),
    (
        "SimplifiedLayerNormalization",
        "output = SimplifiedLayerNormalization(x, row) axis=-1 epsilon=0.001 stash_type=1",
    ),
    (
        "SkipSimplifiedLayerNormalization",
        "a, , , b = com.microsoft.SkipSimplifiedLayerNormalization(x, p, row, row) epsilon=0.001\n c = com.microsoft.SkipSimplifiedLayerNormalization(a, b, row)\n output = Add(c, b)",
    ),
    (
        "FusedMatMul",
        "a = com.microsoft.FusedMatMul(x, square) alpha=0.3 transB=1\n b = com.microsoft.FusedMatMul(x, p) transA=1\n c = com.microsoft.FusedMatMul(a, b) alpha=0.01\n output = Cast(c) to=1",
    ),
    (
        "FusedMatMul with axes of the batch moved",
        "r = Reshape(x, heads_of_4)\n s = Reshape(p, heads_of_4)\n a = com.microsoft.FusedMatMul(r, s) transBatchA=1 transBatchB=1 transB=1\n b = com.microsoft.FusedMatMul(a, r) transBatchB=1 alpha=0.1\n d = Transpose(b) perm=[2,0,1,3]\n output = Reshape(d, merged)",
    ),
    (
        "FusedMatMul with all flags",
        "r = Reshape(x, heads_of_4)\n s = Reshape(p, heads_of_4)\n a = com.microsoft.FusedMatMul(r, s) transBatchA=1 transA=1 transBatchB=1\n m = ReduceMean(a) axes=[2,3] keepdims=1\n n = Shape(x)\n k = ReduceMean(m) axes=[0,1,2] keepdims=0\n output = Add(x, k)",
    ),
    (
        "FusedGemm",
        "a = Reshape(x, rows)\n b = com.microsoft.FusedGemm(a, square, row) transB=1 alpha=0.5 activation=Relu\n c = Shape(x)\n output = Reshape(b, c)",
    ),
    (
        "Attention with a mask of two axes",
        "w = Concat(square, square_t, square) axis=1\n b = Concat(row, row, row) axis=0\n m = Cast(attention_mask) to=6\n output = com.microsoft.Attention(x, w, b, m) num_heads=2",
    ),
    (
        "Attention without a mask, other widths, scale, causal",
        "w = Gather(square, places_14) axis=1\n b = Gather(row, places_14)\n a = com.microsoft.Attention(x, w, b) num_heads=2 qkv_hidden_sizes=[4,4,6] unidirectional=1 scale=0.6\n output = Concat(a, a) axis=2",
    ),
    (
        "Attention with counted tokens and a bias of scores",
        "w = Concat(square, square_t, square) axis=1\n b = Concat(row, row, row) axis=0\n m = Cast(attention_mask) to=6\n n = ReduceSum(m, one_list) keepdims=0\n k = Unsqueeze(x, one_list)\n i = MatMul(x, square)\n t = Transpose(p) perm=[0,2,1]\n j = MatMul(x, t)\n u = Unsqueeze(j, one_list)\n e = Mul(u, tenth)\n f = Concat(e, u) axis=1\n output = com.microsoft.Attention(x, w, b, n, , f) num_heads=2 mask_filter_value=-3.4028234663852886e+38",
    ),
    (
        "Attention of first and last tokens",
        "w = Concat(square, square_t, square) axis=1\n b = Concat(row, row, row) axis=0\n m = Cast(attention_mask) to=6\n n = ReduceSum(m, one_list) keepdims=0\n o = Sub(n, n)\n q = Cast(one_list) to=6\n r = Add(o, q)\n s = Concat(n, r) axis=0\n output = com.microsoft.Attention(x, w, b, s) num_heads=2",
    ),
    (
        "Attention with a mask of three axes, causal",
        "w = Concat(square, square_t, square) axis=1\n b = Concat(row, row, row) axis=0\n c = Unsqueeze(attention_mask, one_list)\n s = Shape(x)\n l = Gather(s, one_list)\n f = Gather(s, zero_list)\n t = Concat(f, l, l) axis=0\n e = Expand(c, t)\n m = Cast(e) to=6\n output = com.microsoft.Attention(x, w, b, m) num_heads=2 unidirectional=1",
    ),
    (
        "MultiHeadAttention with a mask of two axes",
        "m = Cast(attention_mask) to=6\n output = com.microsoft.MultiHeadAttention(x, p, x, , m) num_heads=2",
    ),
    (
        "MultiHeadAttention with biases, causal, scale",
        "b = Concat(row, row, row) axis=0\n t = Transpose(p) perm=[0,2,1]\n j = MatMul(x, t)\n u = Unsqueeze(j, one_list)\n output = com.microsoft.MultiHeadAttention(x, p, x, b, , u) num_heads=2 scale=0.4 unidirectional=1",
    ),
    (
        "MultiHeadAttention with values of another width",
        "v = Gather(p, places_4) axis=2\n a = com.microsoft.MultiHeadAttention(x, p, v) num_heads=2\n output = Concat(a, a) axis=2",
    ),
    (
        "RotaryEmbedding by positions",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n c = Cos(a)\n d = Sin(a)\n n = CumSum(attention_mask, axis1)\n output = com.microsoft.RotaryEmbedding(x, n, c, d) interleaved=1",
    ),
    (
        "RotaryEmbedding from a position on",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n c = Cos(a)\n d = Sin(a)\n g = com.microsoft.RotaryEmbedding(x, two_list, c, d)\n r = Reshape(g, heads_of_4)\n h = Transpose(r) perm=[0,2,1,3]\n e = com.microsoft.RotaryEmbedding(h, two_list, c, d)\n t = Transpose(e) perm=[0,2,1,3]\n output = Reshape(t, merged)",
    ),
    (
        "RotaryEmbedding of some columns, ONNX Runtime's",
        "f = Squeeze(positions, zero_list)\n a = Mul(f, two_floats)\n c = Cos(a)\n d = Sin(a)\n n = CumSum(attention_mask, axis1)\n output = com.microsoft.RotaryEmbedding(x, n, c, d) num_heads=1 rotary_embedding_dim=4",
    ),
    (
        "EmbedLayerNormalization",
        "i = Cast(input_ids) to=6\n m = Cast(attention_mask) to=6\n j = Sub(m, m)\n pt = Slice(table, zero_list, places_512)\n a, n = com.microsoft.EmbedLayerNormalization(i, j, table, pt, square, row, row, m) epsilon=0.001\n k = Cast(n) to=1\n l = Unsqueeze(k, last_two)\n b = Mul(l, tenth)\n output = Add(a, b)",
    ),
    (
        "EmbedLayerNormalization with positions, its sum",
        "i = Cast(input_ids) to=6\n c = CumSum(attention_mask, axis1)\n o = Cast(c) to=6\n pt = Slice(table, zero_list, places_512)\n a, , s = com.microsoft.EmbedLayerNormalization(i, , table, pt, , row, row, , o)\n output = Add(a, s)",
    ),
    (
        "Attention after EmbedLayerNormalization",
        "i = Cast(input_ids) to=6\n m = Cast(attention_mask) to=6\n pt = Slice(table, zero_list, places_512)\n a, n = com.microsoft.EmbedLayerNormalization(i, , table, pt, , row, row, m)\n w = Concat(square, square_t, square) axis=1\n b = Concat(row, row, row) axis=0\n output = com.microsoft.Attention(a, w, b, n) num_heads=2",
    ),
    (
        "QEmbedLayerNormalization",
        "i = Cast(input_ids) to=6\n m = Cast(attention_mask) to=6\n j = Sub(m, m)\n pt = Slice(table_u8, zero_list, places_512)\n a, n = com.microsoft.QEmbedLayerNormalization(i, j, table_u8, pt, table_u8, row_u8, row_u8, m, tenth, half, half, half, tenth, zero_u8, zero_u8, zero_u8, zero_u8, zero_u8) epsilon=0.001\n k = Cast(n) to=1\n l = Unsqueeze(k, last_two)\n output = Add(a, l)",
    ),
    (
        "QAttention",
        "q, s, z = DynamicQuantizeLinear(x)\n w = Concat(square_i8, square_i8, square_i8) axis=1\n b = Concat(row, row, row) axis=0\n m = Cast(attention_mask) to=6\n a = com.microsoft.QAttention(q, w, b, s, tenth, m, z, zero_i8) num_heads=2\n output = Div(a, hundred)",
    ),
];

/// Operators of ONNX Runtime's domain that become linear layers in 8 bits, which
/// quantize rows one by one when they are fused.
pub const QUANTIZED_CASES: &[(&str, &str)] = &[
    (
        "DynamicQuantizeMatMul",
        "a = com.microsoft.DynamicQuantizeMatMul(x, square_i8, tenth)\n output = Div(a, hundred)",
    ),
    (
        "DynamicQuantizeMatMul, quantized by columns, with a bias",
        "a = com.microsoft.DynamicQuantizeMatMul(x, square_i8, row, row_i8, row)\n output = Div(a, hundred)",
    ),
    (
        "MatMulIntegerToFloat",
        "q, s, z = DynamicQuantizeLinear(x)\n a = com.microsoft.MatMulIntegerToFloat(q, square_i8, s, tenth, z, zero_i8)\n output = Div(a, hundred)",
    ),
    (
        "MatMulIntegerToFloat, quantized by columns, with a bias",
        "q, s, z = DynamicQuantizeLinear(x)\n a = com.microsoft.MatMulIntegerToFloat(q, square_i8, s, row, z, row_i8, row)\n output = Div(a, hundred)",
    ),
];
