//! The cost of a log-in by Argon2id parameters and memory size: Lambda assigns
//! processor time in proportion to memory.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};

use crate::{Error, cpu, measure::median};

/// The parameters (KiB, passes) with one lane that OWASP's Password Storage Cheat
/// Sheet considers equally strong; the second is ours.
const PARAMETERS: [(u32, u32); 5] = [
    (47_104, 1),
    (19_456, 2),
    (12_288, 3),
    (9_216, 4),
    (7_168, 5),
];
/// The shop's own parameters.
pub(crate) const OURS: (u32, u32) = (19_456, 2);
/// Memory sizes, in MB.
pub(crate) const MEMORY_MB: [u32; 5] = [128, 256, 512, 1_024, 1_769];
/// The memory size with one whole processor (AWS, "Configure Lambda function
/// memory").
const WHOLE_PROCESSOR_MB: f64 = 1_769.0;
/// List prices in us-east-1: a GB-second on arm64, and a request.
const DOLLARS_PER_GB_SECOND: f64 = 0.000_013_333_4;
const DOLLARS_PER_REQUEST: f64 = 0.000_000_2;
const MB_PER_GB: f64 = 1_024.0;

/// The measurement of one set of parameters.
#[derive(Debug)]
pub(crate) struct Sizing {
    pub(crate) parameters: (u32, u32),
    /// The processor time of the hash alone.
    pub(crate) hash_cpu: Duration,
}

/// Measures the hash with each set of parameters.
pub(crate) fn measure(rounds: usize) -> Result<Vec<Sizing>, Error> {
    let mut times = vec![Vec::new(); PARAMETERS.len()];
    for _ in 0..rounds {
        for ((memory, passes), times) in PARAMETERS.iter().zip(&mut times) {
            let params =
                Params::new(*memory, *passes, 1, None).map_err(|error| error.to_string())?;
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let mut hash = [0; 32];
            let before = cpu::of_this_thread()?;
            argon2
                .hash_password_into(
                    b"correct horse battery staple",
                    b"0123456789abcdef",
                    &mut hash,
                )
                .map_err(|error| error.to_string())?;
            let after = cpu::of_this_thread()?;
            times.push(after.saturating_sub(before));
        }
    }
    Ok(PARAMETERS
        .into_iter()
        .zip(times)
        .map(|(parameters, times)| Sizing {
            parameters,
            hash_cpu: median(&times),
        })
        .collect())
}

/// The duration of work with a given processor time in a function with a given
/// memory size, in milliseconds.
pub(crate) fn millis(cpu: Duration, memory_mb: u32) -> f64 {
    let share = (f64::from(memory_mb) / WHOLE_PROCESSOR_MB).min(1.0);
    cpu.as_secs_f64() * 1_000.0 / share
}

/// The cost of 1,000 calls of a given duration, billed by the millisecond.
pub(crate) fn dollars_per_thousand(millis: f64, memory_mb: u32) -> f64 {
    let seconds = millis.ceil() / 1_000.0;
    let gigabytes = f64::from(memory_mb) / MB_PER_GB;
    1_000.0 * (seconds * gigabytes * DOLLARS_PER_GB_SECOND + DOLLARS_PER_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_memory_quadruples_the_duration() {
        let cpu = Duration::from_millis(20);
        assert!((millis(cpu, 1_769) - 20.0).abs() < 1e-9);
        assert!((millis(cpu, 3_538) - 20.0).abs() < 1e-9);
        assert!((millis(cpu, 442) - 80.0).abs() < 0.1);
    }

    #[test]
    fn a_thousand_calls_of_one_gb_second_cost_the_list_price() {
        let price = dollars_per_thousand(1_000.0, 1_024);
        assert!((price - 0.013_533_4).abs() < 1e-9, "{price}");
    }
}
