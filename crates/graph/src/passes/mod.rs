//! Small rewrites of exported graphs. Each returns whether it changed the graph.

mod clean;
mod composite;
mod final_normalization;
mod half;
mod integer_products;
mod known_selections;
mod mask_lookup;
mod nan_guard;
mod rotary_batches;
mod value_info;

pub(crate) use clean::{clean, merge_equal_nodes};
pub use composite::expand_composites;
pub use final_normalization::remove_final_normalization;
pub use half::widen_half_precision;
pub use integer_products::float_integer_products;
pub use known_selections::replace_known_selections;
pub use mask_lookup::replace_mask_lookup;
pub use nan_guard::lift_nan_guards;
pub use rotary_batches::repeat_rotary_inputs;
pub use value_info::drop_value_info;
