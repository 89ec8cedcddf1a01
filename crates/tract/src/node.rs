//! One ONNX node while it is wired into a tract model.

use std::collections::HashMap;

use multivec_graph::ExternalReader;
use multivec_graph::onnx::{NodeProto, TensorProto};
use multivec_kernels::{Embedding, Linear, SharedGranularity};
use tract_core::internal::*;
use tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_core::ops::cast::{cast, wire_cast};
use tract_core::ops::math;

use super::tensor;
use super::threads::Threads;

/// A node and what its operator may need: inputs, attributes, the model.
pub(super) struct Node<'a> {
    pub(super) proto: &'a NodeProto,
    pub(super) model: &'a mut TypedModel,
    /// `None` for optional inputs that are left out.
    pub(super) inputs: TVec<Option<OutletId>>,
    /// All values of the graph so far.
    #[cfg_attr(
        not(all(feature = "onnx", not(target_arch = "wasm32"))),
        expect(
            dead_code,
            reason = "nodes that tract-onnx reads need more than their inputs"
        )
    )]
    pub(super) values: &'a HashMap<&'a str, OutletId>,
    /// Version of the standard operators.
    pub(super) opset: i64,
    pub(super) parts: &'a Parts<'a>,
    /// Starts the names of the operators that the node is wired as.
    pub(super) name: String,
    /// Operators so far.
    pub(super) steps: usize,
}

/// What nodes of the graph refer to.
pub(super) struct Parts<'a> {
    /// Linear layers that were packed, by the attribute `layer`.
    pub(super) layers: &'a [Arc<Linear>],
    /// Embedding tables that were packed, by the attribute `table`.
    pub(super) tables: &'a [Arc<Embedding>],
    /// How layers quantize their rows.
    pub(super) granularity: SharedGranularity,
    /// What kernels run on.
    pub(super) threads: Threads,
    /// Reads tensors whose bytes are not in the graph.
    pub(super) external: &'a ExternalReader<'a>,
}

impl Node<'_> {
    /// A required input.
    pub(super) fn input(&self, at: usize) -> TractResult<OutletId> {
        self.optional(at)
            .with_context(|| format!("expected an input {at}, found none"))
    }

    pub(super) fn optional(&self, at: usize) -> Option<OutletId> {
        self.inputs.get(at).copied().flatten()
    }

    pub(super) fn fact(&self, outlet: OutletId) -> TractResult<&TypedFact> {
        self.model.outlet_fact(outlet)
    }

    pub(super) fn dtype(&self, outlet: OutletId) -> TractResult<DatumType> {
        Ok(self.fact(outlet)?.datum_type)
    }

    pub(super) fn rank(&self, outlet: OutletId) -> TractResult<usize> {
        Ok(self.fact(outlet)?.rank())
    }

    pub(super) fn shape(&self, outlet: OutletId) -> TractResult<TVec<TDim>> {
        Ok(self.fact(outlet)?.shape.to_tvec())
    }

    /// An input whose value must be known when the model is loaded.
    pub(super) fn constant(&self, at: usize) -> TractResult<Arc<Tensor>> {
        let fact = self.fact(self.input(at)?)?;
        fact.konst
            .clone()
            .with_context(|| format!("expected input {at} to be known at load, found {fact:?}"))
    }

    /// An input of sizes, which may depend on the shape of the batch.
    pub(super) fn dims(&self, at: usize) -> TractResult<TVec<TDim>> {
        let tensor = self.constant(at)?;
        // tract casts the largest integers to -1.
        if tensor.datum_type() == i64::datum_type() {
            let sizes = tensor.try_as_plain_ram()?.as_slice::<i64>()?;
            return Ok(sizes.iter().map(ToDim::to_dim).collect());
        }
        let tensor = tensor.cast_to::<TDim>()?;
        Ok(tensor.try_as_plain_ram()?.as_slice::<TDim>()?.into())
    }

    /// An input of integers that are the same for every batch.
    pub(super) fn integers(&self, at: usize) -> TractResult<TVec<i64>> {
        self.dims(at)?.iter().map(|dim| Ok(dim.to_i64()?)).collect()
    }

    /// Integers that older operator sets have as an attribute, newer ones as an
    /// input.
    pub(super) fn integers_of(&self, name: &str, at: usize) -> TractResult<Option<TVec<i64>>> {
        match (self.proto.ints(name), self.optional(at)) {
            (Some(values), _) => Ok(Some(values.into())),
            (None, Some(_)) => self.integers(at).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// An axis of `outlet`, counted from the end where it is negative.
    pub(super) fn axis(&self, axis: i64, outlet: OutletId) -> TractResult<usize> {
        resolve_axis(axis, self.rank(outlet)?)
    }

    /// Adds an operator of one output, named after the node with a number.
    pub(super) fn wire(
        &mut self,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<OutletId> {
        self.wire_all(op, inputs).map(|outlets| outlets[0])
    }

    /// Adds an operator and returns all its outputs.
    pub(super) fn wire_all(
        &mut self,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let name = self.next_name();
        self.model.wire_node(name, op, inputs)
    }

    pub(super) fn add_constant(&mut self, tensor: impl IntoArcTensor) -> TractResult<OutletId> {
        let name = self.next_name();
        self.model.add_const(name, tensor)
    }

    /// A scalar constant with the element type and rank of `like`.
    pub(super) fn scalar(&mut self, value: f32, like: OutletId) -> TractResult<OutletId> {
        let fact = self.fact(like)?;
        let (dtype, rank) = (fact.datum_type, fact.rank());
        let scalar = tensor0(value).cast_to_dt(dtype)?.into_owned();
        self.add_constant(scalar.broadcast_into_rank(rank)?)
    }

    pub(super) fn cast(&mut self, outlet: OutletId, to: DatumType) -> TractResult<OutletId> {
        if self.dtype(outlet)? == to {
            return Ok(outlet);
        }
        self.wire(cast(to), &[outlet])
    }

    /// Casts all outlets to a common element type and rank.
    pub(super) fn align(&mut self, outlets: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let mut types: TVec<DatumType> = tvec!();
        let mut all_known = true;
        for &outlet in outlets {
            let fact = self.fact(outlet)?;
            all_known &= fact.konst.is_some();
            types.push(fact.datum_type);
        }
        let mut common = DatumType::super_type_for(types.iter().copied()).with_context(|| {
            format!("expected element types with a common type, found {types:?}")
        })?;
        // Symbolic sizes combined with values of a batch become plain integers.
        if common.is_tdim() && !all_known {
            common = i64::datum_type();
        }
        let name = self.next_name();
        let outlets = wire_cast(&name, self.model, outlets, common)?;
        self.align_ranks(&outlets)
    }

    pub(super) fn align_ranks(&mut self, outlets: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let name = self.next_name();
        wire_rank_broadcast(&name, self.model, outlets)
    }

    /// Adds a binary operator with NumPy's broadcasting.
    pub(super) fn binary(
        &mut self,
        op: Box<dyn BinMiniOp>,
        left: OutletId,
        right: OutletId,
    ) -> TractResult<OutletId> {
        let operands = self.align(&[left, right])?;
        self.wire(TypedBinOp(op, None), &operands)
    }

    pub(super) fn add(&mut self, left: OutletId, right: OutletId) -> TractResult<OutletId> {
        self.binary(Box::new(math::Add), left, right)
    }

    pub(super) fn sub(&mut self, left: OutletId, right: OutletId) -> TractResult<OutletId> {
        self.binary(Box::new(math::Sub), left, right)
    }

    pub(super) fn mul(&mut self, left: OutletId, right: OutletId) -> TractResult<OutletId> {
        self.binary(Box::new(math::Mul), left, right)
    }

    /// Multiplies by a constant.
    pub(super) fn scale(&mut self, outlet: OutletId, factor: f32) -> TractResult<OutletId> {
        let factor = self.scalar(factor, outlet)?;
        self.mul(outlet, factor)
    }

    /// The tensor of an attribute.
    pub(super) fn tensor(&self, name: &str) -> TractResult<Option<Tensor>> {
        let attribute = self.proto.attribute(name);
        attribute
            .and_then(|attribute| attribute.t.as_ref())
            .map(|proto: &TensorProto| tensor::read(proto, self.parts.external))
            .transpose()
    }

    fn next_name(&mut self) -> String {
        self.steps += 1;
        format!("{}.{}", self.name, self.steps)
    }
}

/// The outlet of a value of the graph.
pub(super) fn value(values: &HashMap<&str, OutletId>, name: &str) -> TractResult<OutletId> {
    let outlet = values.get(name).copied();
    outlet.with_context(|| format!("expected a value `{name}`, found none"))
}

pub(super) fn resolve_axis(axis: i64, rank: usize) -> TractResult<usize> {
    let resolved = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(resolved)
        .ok()
        .filter(|&axis| axis < rank)
        .with_context(|| format!("expected an axis below {rank}, found {axis}"))
}
