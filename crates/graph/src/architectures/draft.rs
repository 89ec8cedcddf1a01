//! A graph that a family is writing.

use std::collections::HashMap;

use super::config::Config;
use super::parameters::{Bias, HeadKeys, Key, Norm, RmsNorm, Scale, Sizes};
use super::weights::{Found, Weights};
use crate::blocks::{Heads as AttentionHeads, layer_norm, product, rms_norm};
use crate::builder::Builder;
use crate::error::Result;
use crate::graph::Graph;
use crate::interface::declare;
use crate::onnx::{GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto};
use crate::safetensors::WeightIndex;

/// The version of the standard operators, and that of the format it came with.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

pub(super) struct Draft<'a> {
    pub(super) config: &'a Config<'a>,
    pub(super) weights: Weights<'a>,
    pub(super) builder: Builder,
    /// Values of weights that were added, by their full names.
    added: HashMap<String, String>,
    /// The table of tokens.
    words: Option<Words>,
}

struct Words {
    name: String,
    columns: usize,
    table: Table,
}

/// The inputs of a graph.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inputs {
    Ids,
    IdsAndTypes,
}

/// A table whose rows are looked up.
#[derive(Clone)]
pub(super) struct Table {
    value: String,
    pub(super) rows: usize,
}

impl Table {
    pub(super) fn value(&self) -> &str {
        &self.value
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(config: &'a Config<'a>, weights: &'a WeightIndex) -> Self {
        Self {
            config,
            weights: Weights::new(weights),
            builder: Builder::empty(OPSET),
            added: HashMap::new(),
            words: None,
        }
    }

    /// The heads of attention. A head's width is stated, or follows from that
    /// of all.
    pub(super) fn heads(&self, width: usize, keys: HeadKeys) -> Result<AttentionHeads> {
        let Key(count_key, default) = keys.count;
        let count = self.config.size(count_key, default)?;
        let of_keys = match keys.of_keys {
            Some(key) => self.config.size(key, count)?,
            None => count,
        };
        if !count.is_multiple_of(of_keys) {
            let expected = format!("a divisor of {count_key}, {count}");
            let key = keys.of_keys.unwrap_or(count_key);
            return Err(self.config.refuse(key, expected, of_keys));
        }
        let stated = self.config.optional_size("head_dim")?;
        let columns = match stated.or(keys.columns) {
            Some(columns) => columns,
            None if width.is_multiple_of(count) => width / count,
            None => {
                let expected = format!("a divisor of the width {width}");
                return Err(self.config.refuse(count_key, expected, count));
            }
        };
        let width = count.checked_mul(columns);
        if width.is_none_or(|width| width > Config::LARGEST) {
            let expected = format!("at most {} columns in all", Config::LARGEST);
            return Err((self.config).refuse("head_dim", expected, columns));
        }
        Ok(AttentionHeads {
            count,
            of_keys,
            columns,
            scale: (columns as f64).sqrt().recip() as f32,
        })
    }

    /// Adds the weight of that shape by one of its names.
    pub(super) fn weight(&mut self, names: &[&str], shape: &[usize]) -> Result<String> {
        let found = self.weights.find(names, shape)?;
        self.add(found)
    }

    fn add(&mut self, found: Found<'_>) -> Result<String> {
        if let Some(value) = self.added.get(&found.name) {
            return Ok(value.clone());
        }
        let value = self.builder.weight(found.weight.to_tensor(&found.name)?);
        self.added.insert(found.name, value.clone());
        Ok(value)
    }

    /// Adds a table of that many columns.
    pub(super) fn table(&mut self, name: &str, columns: usize) -> Result<Table> {
        let rows = self.rows_of(name, columns)?;
        let value = self.weight(&[name], &[rows, columns])?;
        Ok(Table { value, rows })
    }

    /// Rows of a matrix.
    pub(super) fn rows_of(&self, name: &str, columns: usize) -> Result<usize> {
        let Some(found) = self.weights.get(name) else {
            let expected = format!("a table of {columns} columns");
            return Err(self.weights.missing(name, &expected));
        };
        let rows = found.weight.shape.first().copied().unwrap_or_default();
        Ok(usize::try_from(rows).unwrap_or_default())
    }

    /// Rows of the table of tokens, by whose name the prefix of all others is
    /// found.
    pub(super) fn words(&mut self, name: &str, columns: usize) -> Result<String> {
        self.weights.find_prefix(name)?;
        let found = self.weights.get(name);
        let full_name = found.map_or_else(|| name.to_owned(), |found| found.name);
        let table = self.table(name, columns)?;
        let rows = self.lookup(&table, "input_ids");
        self.words = Some(Words {
            name: full_name,
            columns,
            table,
        });
        Ok(rows)
    }

    /// The weights of a head's layer whose columns are tokens, `[tokens,
    /// columns]`: its own, or the table of tokens.
    pub(super) fn decoder(&mut self, name: &str, columns: usize) -> Result<Table> {
        let own = format!("{name}.weight");
        if self.is_tied(&own)
            && let Some(words) = &self.words
            && words.columns == columns
        {
            return Ok(words.table.clone());
        }
        self.table(&own, columns)
    }

    /// Some rows of [`decoder`](Self::decoder).
    pub(super) fn decoder_rows(
        &mut self,
        name: &str,
        columns: usize,
        rows: &[u32],
    ) -> Result<String> {
        let own = format!("{name}.weight");
        let found = match &self.words {
            Some(words) if self.is_tied(&own) => self.weights.by_full_name(&words.name),
            _ => self.weights.get(&own),
        };
        let Some(found) = found else {
            let expected = format!("a table of {columns} columns");
            return Err(self.weights.missing(&own, &expected));
        };
        let tensors = rows.iter().map(|&row| found.row(row, columns));
        let tensors: Vec<_> = tensors.collect::<Result<_>>()?;
        let values: Vec<String> = (tensors.into_iter())
            .map(|tensor| self.builder.weight(tensor))
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let first_axis = |node: NodeProto| node.with_int("axis", 0);
        Ok(self.builder.add_with("Concat", &values, first_axis))
    }

    /// Whether a layer has the weights of the table of tokens. Those in the
    /// files count, as in transformers.
    fn is_tied(&self, own: &str) -> bool {
        let untied = matches!(self.config.flag("tie_word_embeddings"), Ok(Some(false)));
        self.weights.get(own).is_none() && !untied
    }

    /// Rows of a table by their ids.
    pub(super) fn lookup(&mut self, table: &Table, ids: &str) -> String {
        self.builder.add("Gather", &[&table.value, ids])
    }

    /// The first row of a table, `[1, columns]`.
    pub(super) fn first_row(&mut self, table: &Table) -> String {
        let [start, end, axis] = [0, 1, 0].map(|at| self.builder.ints(&[at]));
        self.builder
            .add("Slice", &[&table.value, &start, &end, &axis])
    }

    /// Adds the rows of token types, of which models with a single one add it
    /// to all tokens.
    pub(super) fn add_types(&mut self, states: &str, columns: usize) -> Result<(String, Inputs)> {
        let types = self.table("embeddings.token_type_embeddings.weight", columns)?;
        let (rows, inputs) = if types.rows > 1 {
            (self.lookup(&types, "token_type_ids"), Inputs::IdsAndTypes)
        } else {
            (self.first_row(&types), Inputs::Ids)
        };
        Ok((self.sum(states, &rows), inputs))
    }

    /// `x @ weight^T + bias`
    pub(super) fn linear(
        &mut self,
        x: &str,
        name: &str,
        Sizes { inner, outer }: Sizes,
        bias: Bias,
    ) -> Result<String> {
        let weights = self.weight(&[&format!("{name}.weight")], &[outer, inner])?;
        let result = product(&mut self.builder, x, &weights);
        if bias == Bias::Absent {
            return Ok(result);
        }
        let bias = self.weight(&[&format!("{name}.bias")], &[outer])?;
        Ok(self.builder.add("Add", &[&result, &bias]))
    }

    pub(super) fn layer_norm(&mut self, x: &str, name: &str, norm: Norm) -> Result<String> {
        // Old checkpoints have the names of TensorFlow.
        let names = |new: &str, old: &str| [format!("{name}.{new}"), format!("{name}.{old}")];
        let mut weights = Vec::with_capacity(2);
        let mut kinds = vec![("weight", "gamma")];
        if norm.bias == Bias::Present {
            kinds.push(("bias", "beta"));
        }
        for (new, old) in kinds {
            let [new, old] = names(new, old);
            weights.push(self.weight(&[&new, &old], &[norm.width])?);
        }
        Ok(layer_norm(&mut self.builder, x, &weights, norm.epsilon))
    }

    /// Normalization by the root of the mean square.
    pub(super) fn rms_norm(&mut self, x: &str, name: &str, norm: RmsNorm) -> Result<String> {
        let stored = self.weight(&[&format!("{name}.weight")], &[norm.width])?;
        let scale = match norm.scale {
            Scale::Stored => stored,
            Scale::StoredLessOne => {
                let one = self.builder.float(1.);
                self.builder.add("Add", &[&stored, &one])
            }
        };
        Ok(rms_norm(&mut self.builder, x, &scale, norm.epsilon))
    }

    pub(super) fn sum(&mut self, left: &str, right: &str) -> String {
        self.builder.add("Add", &[left, right])
    }

    /// Layer normalization of a layer's result and what it read.
    pub(super) fn sum_norm(
        &mut self,
        [result, residual]: [&str; 2],
        name: &str,
        norm: Norm,
    ) -> Result<String> {
        let sum = self.sum(result, residual);
        self.layer_norm(&sum, name, norm)
    }

    /// The finished graph.
    /// `output` declares the output, which `value` becomes.
    pub(super) fn finish(mut self, value: &str, output: ValueInfoProto, inputs: Inputs) -> Graph {
        if let Some(name) = &output.name {
            self.builder.rename(value, name);
        }
        let types = inputs;
        let mut inputs = vec!["input_ids", "attention_mask"];
        if types == Inputs::IdsAndTypes {
            inputs.push("token_type_ids");
        }
        let proto = GraphProto {
            name: Some("encoder".to_owned()),
            input: (inputs.into_iter())
                .map(|name| declare(name, INT64, None))
                .collect(),
            output: vec![output],
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("multivec".to_owned()),
            opset_import: vec![OperatorSetIdProto {
                domain: None,
                version: Some(OPSET),
            }],
            ..ModelProto::default()
        };
        let mut graph = Graph::from_parts(model, proto);
        self.builder.into_graph(&mut graph);
        graph
    }
}
