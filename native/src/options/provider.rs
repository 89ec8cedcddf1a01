//! The hardware paths of ONNX Runtime, and their options.

use std::fmt;
use std::path::PathBuf;

/// The hardware path of ONNX Runtime, an "execution provider".
///
/// A provider is used or reported as an error; there is no silent fallback.
/// Only [`Auto`](Self::Auto) chooses one, and
/// [`BackendInfo::provider`](crate::BackendInfo::provider) says which.
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
    /// of shapes. That takes minutes, unless a cache has the result.
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
    /// CPUs, with the kernels of XNNPACK.
    Xnnpack,
}

/// Options of [`Provider::Cuda`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaOptions {
    /// Index of the device, from 0.
    pub device: u32,
    /// Maximum bytes of device memory; unlimited by default.
    pub memory_limit: Option<usize>,
    /// Whether matrix products of 32-bit floats may use TF32.
    pub tf32: Tf32,
}

/// Whether NVIDIA GPUs may round the operands of matrix products to TF32, which
/// has 10 bits of mantissa: faster, but vectors differ by about 1e-3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tf32 {
    /// Full precision. ONNX Runtime's own default is `On`.
    #[default]
    Off,
    /// TF32.
    On,
}

/// Options of [`Provider::TensorRt`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorRtOptions {
    /// Index of the device, from 0.
    pub device: u32,
    /// Maximum bytes of TensorRT's workspace on the device.
    pub memory_limit: Option<usize>,
    /// The folder for compiled models; none are kept by default.
    pub cache_dir: Option<PathBuf>,
}

/// Options of [`Provider::CoreMl`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoreMlOptions {
    /// Parts of the device that may run the model.
    pub compute_units: ComputeUnits,
    /// The folder for compiled models; none are kept by default.
    pub cache_dir: Option<PathBuf>,
}

/// Parts of an Apple device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputeUnits {
    /// All of them.
    #[default]
    All,
    /// CPU and Neural Engine.
    CpuAndNeuralEngine,
    /// CPU and GPU.
    CpuAndGpu,
    /// The CPU alone.
    CpuOnly,
}

/// Options of [`Provider::DirectMl`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectMlOptions {
    /// Index of the device, from 0.
    pub device: u32,
}

/// Options of [`Provider::MiGraphX`] and [`Provider::Rocm`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmdOptions {
    /// Index of the device, from 0.
    pub device: u32,
    /// Maximum bytes of device memory; unlimited by default.
    pub memory_limit: Option<usize>,
}

/// Options of [`Provider::OpenVino`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenVinoOptions {
    /// OpenVINO's name of the device, such as `CPU`, `GPU.0` or `NPU`; chosen
    /// by OpenVINO by default.
    pub device: Option<String>,
    /// The folder for compiled models; none are kept by default.
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
