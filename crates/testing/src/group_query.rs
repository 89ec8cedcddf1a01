//! `GroupQueryAttention` in small graphs, see [`notation`](crate::notation).

/// Heads of 16 columns, the least that ONNX Runtime rotates: two of queries, `q`,
/// and one of keys and of values, `k` and `v`; the last positions of texts, `n`,
/// the length of the batch, `t`, and halves of cosines and sines, `c` and `s`.
const VALUES: &str = "
    w = Concat(x, p, p, x) axis=2
    q = Mul(w, tenth)
    k = Concat(p, x) axis=2
    v = Concat(x, p) axis=2
    m = Cast(attention_mask) to=6
    one32 = Cast(one_list) to=6
    sum = ReduceSum(m, one_list) keepdims=0
    n = Sub(sum, one32)
    shape = Shape(attention_mask)
    length = Gather(shape, one_i)
    t = Cast(length) to=6
    places_f = Squeeze(positions, zero_list)
    angles = Mul(places_f, row)
    c = Cos(angles)
    s = Sin(angles)
";

/// Rows of padding are not defined.
const OUTPUT: &str = "
    b = Cast(attention_mask) to=9
    seen = Unsqueeze(b, two_list)
    output = Where(seen, a, zero)
";

/// A graph, and what it is fused to.
pub struct GroupQuery {
    pub name: &'static str,
    call: &'static str,
    pub attentions: usize,
    pub rotary: usize,
    pub windowed: usize,
}

impl GroupQuery {
    pub fn lines(&self) -> String {
        [VALUES, self.call, OUTPUT].concat()
    }
}

const PLAIN: GroupQuery = GroupQuery {
    name: "",
    call: "",
    attentions: 1,
    rotary: 0,
    windowed: 0,
};

pub const CASES: &[GroupQuery] = &[
    GroupQuery {
        name: "GroupQueryAttention",
        call: "a = com.microsoft.GroupQueryAttention(q, k, v, , , n, t) num_heads=2 kv_num_heads=1",
        ..PLAIN
    },
    GroupQuery {
        name: "GroupQueryAttention with a scale, a cap and all attributes",
        call: "a, keys, values = com.microsoft.GroupQueryAttention(q, k, v, , , n, t) num_heads=2 kv_num_heads=1 scale=0.6 softcap=1.5 local_window_size=-1 do_rotary=0 rotary_interleaved=0 smooth_softmax=0",
        ..PLAIN
    },
    GroupQuery {
        name: "GroupQueryAttention with a window of one token",
        call: "a = com.microsoft.GroupQueryAttention(q, k, v, , , n, t) num_heads=2 kv_num_heads=1 local_window_size=1",
        windowed: 1,
        ..PLAIN
    },
    GroupQuery {
        name: "GroupQueryAttention with a window, rotated",
        call: "a = com.microsoft.GroupQueryAttention(q, k, v, , , n, t, c, s) num_heads=2 kv_num_heads=1 local_window_size=3 do_rotary=1",
        rotary: 1,
        windowed: 1,
        ..PLAIN
    },
    GroupQuery {
        name: "GroupQueryAttention of packed heads, rotated in pairs",
        call: "qkv = Concat(q, k, v) axis=2\n a = com.microsoft.GroupQueryAttention(qkv, , , , , n, t, c, s) num_heads=2 kv_num_heads=1 do_rotary=1 rotary_interleaved=1",
        rotary: 1,
        ..PLAIN
    },
    GroupQuery {
        name: "GroupQueryAttention of which some columns are rotated, by positions, counts with an axis",
        call: "kk = Concat(k, k) axis=2\n zero64 = Sub(attention_mask, attention_mask)\n each = Add(zero64, one_i)\n counted = CumSum(each, axis1)\n from0 = Sub(counted, one_i)\n nn = Unsqueeze(n, one_list)\n a = com.microsoft.GroupQueryAttention(q, kk, kk, , , nn, t, c, s, from0) num_heads=1 kv_num_heads=1 do_rotary=1",
        rotary: 1,
        ..PLAIN
    },
    GroupQuery {
        name: "GroupQueryAttention with a cap and a bias by the texts",
        call: "columns = Transpose(p) perm=[0,2,1]\n products = MatMul(x, columns)\n bias = Unsqueeze(products, one_list)\n less = Mul(bias, tenth)\n of_heads = Concat(bias, less) axis=1\n a = com.microsoft.GroupQueryAttention(q, k, v, , , n, t, , , , of_heads) num_heads=2 kv_num_heads=1 softcap=2.5 local_window_size=4",
        attentions: 0,
        ..PLAIN
    },
];
