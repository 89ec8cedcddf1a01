//! The hardware paths of ONNX Runtime, and their options.

use std::fmt;
use std::path::PathBuf;

/// The hardware path of ONNX Runtime, an "execution provider".
///
/// A provider that cannot be had, or that would run nothing of the model, is
/// an error; none is ever replaced by another. [`Auto`](Self::Auto) alone
/// chooses, and [`BackendInfo::provider`](crate::BackendInfo::provider) tells
/// what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// The CPU.
    #[default]
    Cpu,
    /// The first of CUDA, MIGraphX, ROCm, CoreML, DirectML and OpenVINO that
    /// runs at least half of the model's operators and gives the CPU's vectors
    /// on a few texts (within 5e-3 for rows of length 1), the CPU otherwise.
    Auto,
    /// NVIDIA GPUs.
    Cuda(CudaOptions),
    /// NVIDIA GPUs through TensorRT, which compiles the model for each range
    /// of shapes: minutes at first, unless it is given a cache.
    TensorRt(TensorRtOptions),
    /// Apple's devices.
    CoreMl(CoreMlOptions),
    /// GPUs on Windows.
    DirectMl(DirectMlOptions),
    /// AMD GPUs.
    MiGraphX(AmdOptions),
    /// AMD GPUs, with libraries up to version 1.22.
    Rocm(AmdOptions),
    /// Intel's devices.
    OpenVino(OpenVinoOptions),
    /// CPUs, by the kernels of XNNPACK.
    Xnnpack,
}

/// Options of [`Provider::Cuda`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaOptions {
    /// Position of the device.
    pub device: u32,
    /// Most bytes of the device's memory; no limit by default.
    pub memory_limit: Option<usize>,
    /// Whether products of 32-bit floats may be rounded.
    pub tf32: Tf32,
}

/// Whether NVIDIA GPUs may round the factors of products to 10 bits of
/// mantissa: faster, with vectors that are about 1e-3 away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tf32 {
    /// As exact as other engines; ONNX Runtime's own default is the other one.
    #[default]
    Off,
    /// Rounded.
    On,
}

/// Options of [`Provider::TensorRt`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorRtOptions {
    /// Position of the device.
    pub device: u32,
    /// Most bytes of TensorRT's workspace on the device.
    pub memory_limit: Option<usize>,
    /// Keeps compiled models in this folder.
    pub cache_dir: Option<PathBuf>,
}

/// Options of [`Provider::CoreMl`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoreMlOptions {
    /// What may run the model.
    pub compute_units: ComputeUnits,
    /// Keeps compiled models in this folder.
    pub cache_dir: Option<PathBuf>,
}

/// Parts of an Apple device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputeUnits {
    /// All that it has.
    #[default]
    All,
    /// CPU and Neural Engine.
    CpuAndNeuralEngine,
    /// CPU and GPU.
    CpuAndGpu,
    /// The CPU.
    CpuOnly,
}

/// Options of [`Provider::DirectMl`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectMlOptions {
    /// Position of the device.
    pub device: u32,
}

/// Options of [`Provider::MiGraphX`] and [`Provider::Rocm`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmdOptions {
    /// Position of the device.
    pub device: u32,
    /// Most bytes of the device's memory; no limit by default.
    pub memory_limit: Option<usize>,
}

/// Options of [`Provider::OpenVino`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenVinoOptions {
    /// OpenVINO's name of the device, such as `CPU`, `GPU.0` or `NPU`; its own
    /// choice by default.
    pub device: Option<String>,
    /// Keeps compiled models in this folder.
    pub cache_dir: Option<PathBuf>,
}

impl Provider {
    /// Its short name, such as `cuda`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Auto => "auto",
            Self::Cuda(_) => "cuda",
            Self::TensorRt(_) => "tensorrt",
            Self::CoreMl(_) => "coreml",
            Self::DirectMl(_) => "directml",
            Self::MiGraphX(_) => "migraphx",
            Self::Rocm(_) => "rocm",
            Self::OpenVino(_) => "openvino",
            Self::Xnnpack => "xnnpack",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
