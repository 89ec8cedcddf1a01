//! Outputs in pinned memory of the host.
//!
//! By default, ONNX Runtime returns outputs in pageable memory, which a device
//! reaches through a staging buffer alone. Some providers allocate pinned
//! memory, to which a device copies directly.

use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::value::Tensor;

use super::signature::{Run, Signature, States};
use crate::options::Provider;

/// Pinned memory for outputs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PinnedOutput {
    device: AllocationDevice<'static>,
    id: i32,
}

impl PinnedOutput {
    /// Memory that a provider may have, the likeliest first: that of its own
    /// device, or that of device 0 in older versions of ONNX Runtime.
    pub(super) fn candidates(provider: &Provider) -> Vec<Self> {
        let (device, position) = match provider {
            Provider::Cuda(options) => (AllocationDevice::CUDA_PINNED, options.device),
            Provider::TensorRt(options) => (AllocationDevice::CUDA_PINNED, options.device),
            Provider::MiGraphX(options) | Provider::Rocm(options) => {
                (AllocationDevice::HIP_PINNED, options.device)
            }
            // Their outputs are in ordinary memory, or not readable at all.
            Provider::Cpu
            | Provider::Auto
            | Provider::CoreMl(_)
            | Provider::DirectMl(_)
            | Provider::OpenVino(_)
            | Provider::Xnnpack => return Vec::new(),
        };
        let mut ids = vec![i32::try_from(position).unwrap_or(i32::MAX), 0];
        ids.dedup();
        let pinned = |id| Self {
            device: device.clone(),
            id,
        };
        ids.into_iter().map(pinned).collect()
    }

    /// The first candidate whose `run` gives exactly the states of a run
    /// without it.
    pub(super) fn choose(
        candidates: Vec<Self>,
        expected: &States,
        mut run: impl FnMut(&Self) -> ort::Result<States>,
    ) -> Option<Self> {
        candidates
            .into_iter()
            .find(|pinned| run(pinned).is_ok_and(|found| found == *expected))
    }

    /// Runs a session and copies the token states.
    pub(super) fn run(
        &self,
        signature: &Signature,
        session: &mut Session,
        Run { batch, options }: Run<'_>,
    ) -> ort::Result<States> {
        let memory = MemoryInfo::new(
            self.device.clone(),
            self.id,
            AllocatorType::Device,
            MemoryType::CPUOutput,
        )?;
        let output = signature.output.as_str();
        let mut binding = session.create_binding()?;
        for (name, input) in signature.owned_inputs(batch)? {
            binding.bind_input(name, &input)?;
        }
        binding.bind_output_to_device(output, &memory)?;
        let mut outputs = session.run_binding_with_options(&binding, options)?;
        binding.synchronize_outputs()?;
        let states = outputs.remove(output);
        let states = states.ok_or_else(|| {
            ort::Error::new(format!("expected the bound output `{output}`, found none"))
        })?;
        let states: Tensor<f32> = states.downcast()?;
        let found = states.memory_info().allocation_device();
        if found != self.device {
            return Err(ort::Error::new(format!(
                "expected the output in `{}`, found it in `{}`",
                self.device.as_str(),
                found.as_str()
            )));
        }
        let count = states.shape().num_elements();
        let mut data = Vec::with_capacity(count);
        // SAFETY: `states` owns `count` initialized `f32` until it is dropped,
        // after the copy: its type was checked by `downcast`, its memory above
        // to be the pinned memory asked for, which the CPU can read, and
        // `synchronize_outputs` has waited for the device. `data` is a new
        // allocation with room for `count`.
        unsafe {
            let from = states.data_ptr().cast::<f32>();
            std::ptr::copy_nonoverlapping(from, data.as_mut_ptr(), count);
            data.set_len(count);
        }
        Ok(States {
            shape: states.shape().to_vec(),
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use multivec_core::batch::TokenBatch;
    use ort::session::RunOptions;

    use super::super::opener::tests::{FILE, opener};
    use super::*;
    use crate::options::{AmdOptions, CudaOptions, Parallelism, TensorRtOptions};

    fn output(device: AllocationDevice<'static>, id: i32) -> PinnedOutput {
        PinnedOutput { device, id }
    }

    #[test]
    fn pinned_memory_belongs_to_the_device() {
        let cuda = Provider::Cuda(CudaOptions {
            device: 2,
            ..CudaOptions::default()
        });
        let pinned = AllocationDevice::CUDA_PINNED;
        let expected = [output(pinned.clone(), 2), output(pinned.clone(), 0)];
        assert_eq!(PinnedOutput::candidates(&cuda), expected);
        let tensor_rt = Provider::TensorRt(TensorRtOptions::default());
        assert_eq!(PinnedOutput::candidates(&tensor_rt), [output(pinned, 0)]);
        for amd in [Provider::MiGraphX, Provider::Rocm] {
            let amd = amd(AmdOptions::default());
            let expected = [output(AllocationDevice::HIP_PINNED, 0)];
            assert_eq!(PinnedOutput::candidates(&amd), expected);
        }
        assert_eq!(PinnedOutput::candidates(&Provider::Cpu), []);
    }

    #[test]
    fn bound_outputs_equal_others_and_missing_memory_is_not_chosen() {
        let (_opener, mut session) = opener(Parallelism {
            sessions: 1,
            threads: 1,
            wide: 0,
        });
        let signature = Signature::read(FILE, &session).expect("an encoder's signature");
        let options = RunOptions::new().expect("the library makes options");
        // Two shapes, so that an output left from the first run would show.
        for (rows, length) in [(3, 7), (1, 4)] {
            let ids = 0..(rows * length) as i64;
            let batch = TokenBatch::unpadded(rows, ids.map(|id| id % 50).collect());
            let run = Run {
                batch: &batch,
                options: &options,
            };
            let (cpu, cuda) = (AllocationDevice::CPU, AllocationDevice::CUDA_PINNED);
            let (cpu, cuda) = (output(cpu, 0), output(cuda, 0));
            let found = cpu
                .run(&signature, &mut session, run)
                .expect("the batch runs");
            let expected = signature.states(&mut session, run).expect("the batch runs");
            assert_eq!(found.shape[..2], [rows as i64, length as i64]);
            assert_eq!(found, expected);
            let error = cuda.run(&signature, &mut session, run);
            let message = error.expect_err("a CPU has no such memory").to_string();
            assert!(message.contains("`CudaPinned`"), "{message}");
            let all = vec![cuda.clone(), cpu.clone()];
            let mut choose = |candidates| {
                PinnedOutput::choose(candidates, &expected, |pinned| {
                    pinned.run(&signature, &mut session, run)
                })
            };
            assert_eq!(choose(all), Some(cpu));
            assert_eq!(choose(vec![cuda]), None);
        }
    }
}
