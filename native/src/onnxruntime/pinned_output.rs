//! Outputs in memory that a device writes to by itself.
//!
//! Left to itself, ONNX Runtime hands outputs over in memory that the system may
//! move meanwhile, which a device reaches through the processor alone. Some
//! providers have memory that stays where it is; outputs that are bound to it
//! are written there in one go.

use multivec_core::batch::TokenBatch;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{NoSelectedOutputs, RunOptions, Session};
use ort::value::Tensor;

use super::signature::{Signature, States};
use crate::options::Provider;

/// Memory of the host for outputs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PinnedOutput {
    device: AllocationDevice<'static>,
    id: i32,
}

impl PinnedOutput {
    /// What a provider may have, the likeliest first: memory belongs to its
    /// device, or to the first one in older versions of ONNX Runtime.
    pub(super) fn candidates(provider: &Provider) -> Vec<Self> {
        let (device, position) = match provider {
            Provider::Cuda(options) => (AllocationDevice::CUDA_PINNED, options.device),
            Provider::TensorRt(options) => (AllocationDevice::CUDA_PINNED, options.device),
            Provider::MiGraphX(options) | Provider::Rocm(options) => {
                (AllocationDevice::HIP_PINNED, options.device)
            }
            // Memory of the CPU, or nothing that a program could read.
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

    /// The first that gives what a run without it gave, number for number.
    pub(super) fn choose(
        candidates: Vec<Self>,
        expected: &States,
        (signature, session): (&Signature, &mut Session),
        (batch, options): (&TokenBatch, &RunOptions<NoSelectedOutputs>),
    ) -> Option<Self> {
        candidates.into_iter().find(|pinned| {
            let found = pinned.run(signature, session, (batch, options));
            found.is_ok_and(|found| found == *expected)
        })
    }

    /// Runs a session with a batch as its inputs.
    pub(super) fn run(
        &self,
        signature: &Signature,
        session: &mut Session,
        (batch, options): (&TokenBatch, &RunOptions<NoSelectedOutputs>),
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
        let states = states.ok_or_else(|| ort::Error::new("the output that was bound"))?;
        let states: Tensor<f32> = states.downcast()?;
        let found = states.memory_info().allocation_device();
        if found != self.device {
            return Err(ort::Error::new(format!(
                "expected an output in `{}`, found it in `{}`",
                self.device.as_str(),
                found.as_str()
            )));
        }
        let count = states.shape().num_elements();
        let mut data = Vec::with_capacity(count);
        // SAFETY: memory of the host, of so many numbers, that was written to
        // before `synchronize_outputs` returned, and is there as long as
        // `states`; there is room for as many.
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
    use super::super::opener::tests::{FILE, opener};
    use super::*;
    use crate::options::{AmdOptions, CudaOptions, Parallelism, TensorRtOptions};

    fn output(device: AllocationDevice<'static>, id: i32) -> PinnedOutput {
        PinnedOutput { device, id }
    }

    #[test]
    fn memory_is_that_of_the_device() {
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
    fn bound_outputs_are_those_of_a_run_without_and_what_cannot_be_had_is_left() {
        let (_opener, mut session) = opener(Parallelism {
            sessions: 1,
            threads: 1,
            wide: 0,
        });
        let signature = Signature::read(FILE, &session).expect("it is an encoder");
        let options = RunOptions::new().expect("there are options");
        // Of two shapes, so that nothing is left from the run before.
        for (rows, length) in [(3, 7), (1, 4)] {
            let ids = 0..(rows * length) as i64;
            let batch = TokenBatch {
                rows,
                length,
                input_ids: ids.map(|id| id % 50).collect(),
                attention_mask: vec![1; rows * length],
            };
            let run = (&batch, &options);
            let (cpu, cuda) = (AllocationDevice::CPU, AllocationDevice::CUDA_PINNED);
            let (cpu, cuda) = (output(cpu, 0), output(cuda, 0));
            let found = cpu.run(&signature, &mut session, run).expect("it runs");
            let expected = signature.states(&mut session, run).expect("it runs");
            assert_eq!(found.shape[..2], [rows as i64, length as i64]);
            assert_eq!(found, expected);
            let error = cuda.run(&signature, &mut session, run);
            let message = error.expect_err("there is none").to_string();
            assert!(message.contains("`CudaPinned`"), "{message}");
            let all = vec![cuda.clone(), cpu.clone()];
            let mut choose =
                |all| PinnedOutput::choose(all, &expected, (&signature, &mut session), run);
            assert_eq!(choose(all), Some(cpu));
            assert_eq!(choose(vec![cuda]), None);
        }
    }
}
