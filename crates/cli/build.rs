//! Embeds the demo model where `MULTIVEC_DEMO_MODEL` names its folder, as the
//! repository's Cargo configuration does. The model is too large for a registry.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(demo_model)");
    println!("cargo::rerun-if-env-changed=MULTIVEC_DEMO_MODEL");
    if std::env::var_os("MULTIVEC_DEMO_MODEL").is_some() {
        println!("cargo::rustc-cfg=demo_model");
    }
}
