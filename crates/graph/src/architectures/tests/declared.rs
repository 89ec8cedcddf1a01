//! Families without a published model among the fixtures, by the names and
//! shapes of their weights.

use serde_json::{Value, json};

use super::{Architecture, Head, build, unused};
use crate::fuse;
use crate::operators::SHORT_CONVOLUTION;
use crate::safetensors::sample::weight_index;

const WIDTH: usize = 8;
const INNER: usize = 12;

/// Names and shapes of weights.
#[derive(Default)]
struct Tensors(Vec<(String, Vec<usize>)>);

impl Tensors {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.0.push((name.to_owned(), shape.to_vec()));
    }

    fn linear(&mut self, name: &str, shape: [usize; 2]) {
        self.add(&format!("{name}.weight"), &shape);
        self.add(&format!("{name}.bias"), &shape[..1]);
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.add(&format!("{name}.weight"), &[width]);
        self.add(&format!("{name}.bias"), &[width]);
    }
}

fn bert_layer(tensors: &mut Tensors, prefix: &str) {
    let attention = format!("{prefix}encoder.layer.0.attention");
    for part in ["self.query", "self.key", "self.value", "output.dense"] {
        tensors.linear(&format!("{attention}.{part}"), [WIDTH, WIDTH]);
    }
    tensors.norm(&format!("{attention}.output.LayerNorm"), WIDTH);
}

fn bert_feed_forward(tensors: &mut Tensors, prefix: &str) {
    let layer = format!("{prefix}encoder.layer.0");
    tensors.linear(&format!("{layer}.intermediate.dense"), [INNER, WIDTH]);
    tensors.linear(&format!("{layer}.output.dense"), [WIDTH, INNER]);
    tensors.norm(&format!("{layer}.output.LayerNorm"), WIDTH);
}

fn embeddings(tensors: &mut Tensors, prefix: &str, columns: usize) {
    for (table, rows) in [("word", 9), ("token_type", 2), ("position", 7)] {
        let name = format!("{prefix}embeddings.{table}_embeddings.weight");
        tensors.add(&name, &[rows, columns]);
    }
    tensors.norm(&format!("{prefix}embeddings.LayerNorm"), columns);
}

/// Builds a family with one layer of two heads, and checks that no weight is
/// left out.
fn built(tensors: &Tensors, options: Value) -> Architecture {
    let found = built_with(tensors, options, Head::None);
    assert_eq!(found.width, WIDTH);
    found
}

fn built_with(tensors: &Tensors, options: Value, head: Head<'_>) -> Architecture {
    let mut config = json!({
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 7,
    });
    for (key, value) in options.as_object().expect("options") {
        config[key] = value.clone();
    }
    let index = weight_index("model.safetensors", &tensors.0);
    let config = config.to_string();
    let found = build("config.json", config.as_bytes(), &index, head).expect("a known family");
    assert_eq!(unused(&found, &index), [""; 0], "{config}");
    found
}

fn attentions(found: &Architecture) -> usize {
    fuse(&mut found.graph.clone()).attentions
}

#[test]
fn electra_widens_its_embeddings() {
    let mut tensors = Tensors::default();
    embeddings(&mut tensors, "electra.", 4);
    tensors.linear("electra.embeddings_project", [WIDTH, 4]);
    bert_layer(&mut tensors, "electra.");
    bert_feed_forward(&mut tensors, "electra.");
    let found = built(
        &tensors,
        json!({"model_type": "electra", "embedding_size": 4}),
    );
    assert_eq!((attentions(&found), found.max_positions), (1, Some(7)));
}

#[test]
fn ernie_adds_the_first_task() {
    let mut tensors = Tensors::default();
    embeddings(&mut tensors, "", WIDTH);
    tensors.add("embeddings.task_type_embeddings.weight", &[3, WIDTH]);
    bert_layer(&mut tensors, "");
    bert_feed_forward(&mut tensors, "");
    let found = built(
        &tensors,
        json!({"model_type": "ernie", "use_task_id": true}),
    );
    assert_eq!(attentions(&found), 1);
}

#[test]
fn jinas_second_version_has_gates() {
    let mut tensors = Tensors::default();
    tensors.add("embeddings.word_embeddings.weight", &[9, WIDTH]);
    tensors.add("embeddings.token_type_embeddings.weight", &[2, WIDTH]);
    tensors.norm("embeddings.LayerNorm", WIDTH);
    bert_layer(&mut tensors, "");
    let layer = "encoder.layer.0.mlp";
    let gates = format!("{layer}.gated_layers.weight");
    tensors.add(&gates, &[2 * INNER, WIDTH]);
    tensors.linear(&format!("{layer}.wo"), [WIDTH, INNER]);
    tensors.norm(&format!("{layer}.layernorm"), WIDTH);
    let options = json!({
        "model_type": "bert",
        "position_embedding_type": "alibi",
        "feed_forward_type": "geglu",
    });
    let found = built(&tensors, options);
    assert_eq!(found.max_positions, Some(7));
    let fused = fuse(&mut found.graph.clone());
    assert_eq!([fused.attentions, fused.biased], [1, 1]);
}

/// Layers that compute queries, keys and values together.
fn packed(tensors: &mut Tensors, prefix: &str, qkv: &str, output: &str) {
    tensors.add(
        &format!("{prefix}embeddings.word_embeddings.weight"),
        &[9, WIDTH],
    );
    tensors.norm(&format!("{prefix}emb_ln"), WIDTH);
    let layer = format!("{prefix}encoder.layers.0");
    tensors.linear(&format!("{layer}.{qkv}"), [3 * WIDTH, WIDTH]);
    tensors.linear(&format!("{layer}.{output}"), [WIDTH, WIDTH]);
    tensors.linear(&format!("{layer}.mlp.fc1"), [INNER, WIDTH]);
    tensors.linear(&format!("{layer}.mlp.fc2"), [WIDTH, INNER]);
    tensors.norm(&format!("{layer}.norm1"), WIDTH);
    tensors.norm(&format!("{layer}.norm2"), WIDTH);
}

#[test]
fn jinas_third_version_is_rotary() {
    let mut tensors = Tensors::default();
    packed(&mut tensors, "roberta.", "mixer.Wqkv", "mixer.out_proj");
    let types = "roberta.embeddings.token_type_embeddings.weight";
    tensors.add(types, &[1, WIDTH]);
    let own = json!({
        "model_type": "xlm-roberta",
        "position_embedding_type": "rotary",
        "rotary_emb_base": 20000.,
        "lora_adaptations": null,
    });
    let of_transformers = json!({
        "model_type": "jina_embeddings_v3",
        "position_embedding_type": "rotary",
        "rope_parameters": {"rope_theta": 20000., "rope_type": "default"},
        "lora_adaptations": ["separation"],
    });
    let found = [own, of_transformers].map(|options| built(&tensors, options));
    assert_eq!(found[0].graph, found[1].graph);
    let fused = fuse(&mut found[0].graph.clone());
    assert_eq!((fused.attentions, fused.rotary), (1, 1));
    let inputs: Vec<&str> = found[0].graph.free_inputs().collect();
    assert_eq!(inputs, ["input_ids", "attention_mask"]);
}

#[test]
fn nomics_own_options_are_those_of_gpt2() {
    let mut tensors = Tensors::default();
    packed(&mut tensors, "", "attn.Wqkv", "attn.out_proj");
    let types = "embeddings.token_type_embeddings.weight";
    tensors.add(types, &[2, WIDTH]);
    let options = json!({
        "model_type": "nomic_bert",
        "n_embd": WIDTH,
        "n_head": 2,
        "n_layer": 1,
        "n_inner": INNER,
        "n_positions": 8192,
        "max_trained_positions": 2048,
        "rotary_scaling_factor": 2.,
        "activation_function": "gelu",
    });
    let found = built(&tensors, options);
    assert_eq!((attentions(&found), found.max_positions), (1, Some(2048)));
}

/// A GTE of one layer without types of tokens.
fn gte() -> Tensors {
    let mut tensors = Tensors::default();
    tensors.add("new.embeddings.word_embeddings.weight", &[9, WIDTH]);
    tensors.norm("new.embeddings.LayerNorm", WIDTH);
    let layer = "new.encoder.layer.0";
    tensors.linear(&format!("{layer}.attention.qkv_proj"), [3 * WIDTH, WIDTH]);
    tensors.linear(&format!("{layer}.attention.o_proj"), [WIDTH, WIDTH]);
    let gates = format!("{layer}.mlp.up_gate_proj.weight");
    tensors.add(&gates, &[2 * INNER, WIDTH]);
    tensors.linear(&format!("{layer}.mlp.down_proj"), [WIDTH, INNER]);
    tensors.norm(&format!("{layer}.attn_ln"), WIDTH);
    tensors.norm(&format!("{layer}.mlp_ln"), WIDTH);
    tensors
}

#[test]
fn gte_has_scaled_angles() {
    let options = json!({
        "model_type": "new",
        "type_vocab_size": 0,
        "rope_scaling": {"type": "ntk", "factor": 8.},
    });
    assert_eq!(attentions(&built(&gte(), options)), 1);
}

// Source: Alibaba-NLP/new-impl, `NewForSequenceClassification` and
// `NewForMaskedLM`.
#[test]
fn gte_has_heads() {
    let options = json!({"model_type": "new", "type_vocab_size": 0});
    let mut tensors = gte();
    tensors.linear("new.pooler.dense", [WIDTH, WIDTH]);
    tensors.linear("classifier", [3, WIDTH]);
    let found = built_with(&tensors, options.clone(), Head::SequenceClassification);
    assert_eq!(found.width, 3);

    let mut tensors = gte();
    tensors.linear("lm_head.dense", [WIDTH, WIDTH]);
    tensors.norm("lm_head.norm", WIDTH);
    tensors.add("lm_head.decoder.bias", &[9]);
    let found = built_with(&tensors, options, Head::MaskedLanguageModel);
    assert_eq!(found.width, 9);
}

fn decoder(tensors: &mut Tensors, prefix: &str) {
    tensors.add(&format!("{prefix}embed_tokens.weight"), &[9, WIDTH]);
    tensors.add(&format!("{prefix}norm.weight"), &[WIDTH]);
    let layer = format!("{prefix}layers.0");
    for norm in ["input_layernorm", "post_attention_layernorm"] {
        tensors.add(&format!("{layer}.{norm}.weight"), &[WIDTH]);
    }
    for part in ["q", "k", "v", "o"] {
        let name = format!("{layer}.self_attn.{part}_proj.weight");
        tensors.add(&name, &[WIDTH, WIDTH]);
    }
    for (part, shape) in [
        ("gate", [INNER, WIDTH]),
        ("up", [INNER, WIDTH]),
        ("down", [WIDTH, INNER]),
    ] {
        tensors.add(&format!("{layer}.mlp.{part}_proj.weight"), &shape);
    }
}

#[test]
fn decoders_see_what_their_configuration_says() {
    let mut tensors = Tensors::default();
    decoder(&mut tensors, "model.");
    for (options, causal) in [
        (json!({"model_type": "llama"}), 1),
        (json!({"model_type": "llama", "is_causal": false}), 0),
        (json!({"model_type": "llama_bidirec"}), 0),
        (json!({"model_type": "eurobert"}), 0),
        (json!({"model_type": "mistral", "sliding_window": null}), 1),
        (
            json!({"model_type": "mistral", "sliding_window": null, "is_causal": false}),
            0,
        ),
    ] {
        let fused = fuse(&mut built(&tensors, options).graph);
        assert_eq!(
            [fused.attentions, fused.rotary, fused.causal],
            [1, 1, causal]
        );
    }
}

#[test]
fn windows_of_decoders_are_those_of_their_family() {
    let mut tensors = Tensors::default();
    decoder(&mut tensors, "");
    let index = weight_index("model.safetensors", &tensors.0);
    let sliding = json!(["sliding_attention"]);
    for (options, expected) in [
        (json!({"model_type": "mistral"}), Ok(1)),
        (
            json!({"model_type": "qwen3", "sliding_window": 4}),
            Err("q_norm"),
        ),
        (json!({"model_type": "llama", "sliding_window": 4}), Ok(0)),
        (
            json!({"model_type": "llama", "use_sliding_window": true}),
            Err("use_sliding_window"),
        ),
        (
            json!({"model_type": "llama", "layer_types": sliding}),
            Err("layer_types"),
        ),
        (
            json!({"model_type": "llama", "layer_types": ["chunked_attention"]}),
            Err("layer_types"),
        ),
        (
            json!({"model_type": "mistral", "is_causal": false}),
            Err("sliding_window"),
        ),
        (
            json!({"model_type": "qwen2", "layer_types": sliding}),
            Err("layer_types"),
        ),
        (
            json!({"model_type": "gemma3_text", "attn_logit_softcapping": 50}),
            Err("none, found 50"),
        ),
        (
            json!({"model_type": "gemma3_text", "query_pre_attn_scalar": 0}),
            Err("above 0"),
        ),
    ] {
        let mut config = json!({
            "hidden_size": WIDTH,
            "intermediate_size": INNER,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "head_dim": WIDTH / 2,
        });
        for (key, value) in options.as_object().expect("options") {
            config[key] = value.clone();
        }
        let config = config.to_string();
        let found = build("config.json", config.as_bytes(), &index, Head::None);
        match (found, expected) {
            (Ok(mut found), Ok(windowed)) => {
                assert_eq!(fuse(&mut found.graph).windowed, windowed, "{config}");
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{config}: {error}");
            }
            (found, _) => panic!("{config}: {:?}", found.err()),
        }
    }
}

#[test]
fn convolutions_of_lfm2_may_see_both_sides() {
    let mut tensors = Tensors::default();
    tensors.add("lfm2.embed_tokens.weight", &[9, WIDTH]);
    tensors.add("lfm2.embedding_norm.weight", &[WIDTH]);
    let layer = "lfm2.layers.0";
    for norm in ["operator_norm", "ffn_norm"] {
        tensors.add(&format!("{layer}.{norm}.weight"), &[WIDTH]);
    }
    for (name, shape) in [
        ("conv.in_proj", vec![3 * WIDTH, WIDTH]),
        ("conv.out_proj", vec![WIDTH, WIDTH]),
        ("conv.conv", vec![WIDTH, 1, 4]),
        ("feed_forward.w1", vec![16, WIDTH]),
        ("feed_forward.w2", vec![WIDTH, 16]),
        ("feed_forward.w3", vec![16, WIDTH]),
    ] {
        tensors.add(&format!("{layer}.{name}.weight"), &shape);
    }
    for (class, before) in [("Lfm2Model", 3), ("Lfm2BidirectionalModel", 2)] {
        let options = json!({
            "model_type": "lfm2",
            "architectures": [class],
            "full_attn_idxs": [],
            "conv_L_cache": 4,
            // 2 / 3 of it, rounded up.
            "intermediate_size": 18,
            "block_multiple_of": 8,
        });
        let mut graph = built(&tensors, options).graph;
        assert_eq!(fuse(&mut graph).short_convolutions, 1);
        let mut nodes = graph.nodes().iter();
        let fused = nodes.find(|node| node.is_ours(SHORT_CONVOLUTION));
        assert_eq!(fused.map(|node| node.int("before", -1)), Some(before));
    }
}
