//! What it costs to store the model's vectors with less precision.

use multivec::Result;
use multivec::fidelity::StorageAgreement;
use serde_json::{Value, json};

use crate::console::print;

pub(super) fn print_all(all: &[StorageAgreement]) -> Result<()> {
    for one in all {
        let tau = match one.ranking.kendall_tau {
            Some(tau) => format!("{tau:.5}"),
            None => "none".to_owned(),
        };
        print(&format!(
            "stored      {:4}: overlap of the top {} {:.4}, Kendall's tau-b {tau}, in {} KB",
            one.precision.name(),
            one.ranking.top,
            one.ranking.overlap,
            one.size.div_ceil(1000),
        ))?;
    }
    Ok(())
}

pub(super) fn to_json(all: &[StorageAgreement]) -> Value {
    let one = |one: &StorageAgreement| {
        json!({
            "store": one.precision.name(),
            "bytes": one.size,
            "top": one.ranking.top,
            "overlap": one.ranking.overlap,
            "kendall_tau": one.ranking.kendall_tau,
        })
    };
    all.iter().map(one).collect()
}
