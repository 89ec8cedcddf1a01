//! Linux on 64-bit ARM, under qemu. With tract alone: ONNX Runtime's library
//! crashes qemu 7.2.

use super::{cross, search};
use crate::command::{Result, program, root, step, target};
use crate::{debian, manifest, setup, test};

const TRIPLE: &str = "aarch64-unknown-linux-gnu";

/// Starts programs; where the libraries of the platform are comes after.
const QEMU: &str = "qemu-aarch64";
const LIBRARIES: [&str; 2] = ["-L", "/usr/aarch64-linux-gnu"];

pub(super) fn run() -> Result {
    debian::install(&[
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
        "qemu-user",
    ])?;
    setup::rust_target(TRIPLE)?;
    let arm = || {
        let mut command = cross(TRIPLE);
        command
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
                "aarch64-linux-gnu-gcc",
            )
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
                format!("{QEMU} {}", LIBRARIES.join(" ")),
            );
        command
    };
    step(
        "parity on ARM, on tract",
        test::parity(&mut arm()).arg("tract::"),
    )?;
    step(
        "the command line for ARM",
        arm().args(["build", "--package", manifest::COMMAND_LINE]),
    )?;
    search(
        TRIPLE,
        program(QEMU).args(LIBRARIES).arg(
            target()
                .join("platforms")
                .join(TRIPLE)
                .join("debug/multivec"),
        ),
        &root().join("models/minilm-colbert"),
        "tract",
    )
}
