//! Logical operators.
//!
//! tract replaces its own where an operand is the same everywhere, and loses the
//! shape that this operand gives the result.

use tract_core::internal::*;
use tract_core::ndarray::Zip;
use tract_core::ops::binary::BinMiniOp;
use tract_core::ops::logic;

use super::super::node::Node;
use super::Operator;
use super::elementwise::chain;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "And" => |node: &mut Node<'_>| chain(node, Logic::And),
        "Or" => |node| chain(node, Logic::Or),
        "Xor" => |node| chain(node, logic::Xor),
        _ => return None,
    })
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Logic {
    And,
    Or,
}

impl Logic {
    fn of(&self, left: bool, right: bool) -> bool {
        match self {
            Self::And => left & right,
            Self::Or => left | right,
        }
    }
}

impl BinMiniOp for Logic {
    fn name(&self) -> &'static str {
        match self {
            Self::And => "And",
            Self::Or => "Or",
        }
    }

    fn result_datum_type(&self, _: DatumType, _: DatumType) -> TractResult<DatumType> {
        Ok(bool::datum_type())
    }

    fn eval_in_a(&self, left: &mut Tensor, right: &Tensor) -> TractResult<()> {
        let mut left = left.try_as_plain_ram_mut()?;
        Zip::from(left.to_array_view_mut::<bool>()?)
            .and_broadcast(right.to_plain_array_view::<bool>()?)
            .for_each(|left, &right| *left = self.of(*left, right));
        Ok(())
    }

    fn eval_out_of_place(
        &self,
        result: &mut Tensor,
        left: &Tensor,
        right: &Tensor,
    ) -> TractResult<()> {
        let mut result = result.try_as_plain_ram_mut()?;
        Zip::from(result.to_array_view_mut::<bool>()?)
            .and_broadcast(left.to_plain_array_view::<bool>()?)
            .and_broadcast(right.to_plain_array_view::<bool>()?)
            .for_each(|result, &left, &right| *result = self.of(left, right));
        Ok(())
    }
}
