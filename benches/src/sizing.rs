//! What a log-in costs, by the parameters of Argon2id and the memory of the
//! function: Lambda gives processor time in proportion to memory.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};

use crate::{Failure, cpu, measure::median};

/// The parameters that OWASP's Password Storage Cheat Sheet holds to be of the
/// same strength (KiB, passes), with one lane; the second is ours.
const PARAMETERS: [(u32, u32); 5] = [
    (47_104, 1),
    (19_456, 2),
    (12_288, 3),
    (9_216, 4),
    (7_168, 5),
];
/// Ours.
pub(crate) const OURS: (u32, u32) = (19_456, 2);
/// Memory of a function, in MB.
pub(crate) const MEMORY_MB: [u32; 5] = [128, 256, 512, 1_024, 1_769];
/// At which memory a function has one whole processor (AWS, "Configure Lambda
/// function memory").
const WHOLE_PROCESSOR_MB: f64 = 1_769.0;
/// List prices in us-east-1: a GB-second on arm64, and a request.
const DOLLARS_PER_GB_SECOND: f64 = 0.000_013_333_4;
const DOLLARS_PER_REQUEST: f64 = 0.000_000_2;
const MB_PER_GB: f64 = 1_024.0;

/// One set of parameters.
#[derive(Debug)]
pub(crate) struct Sizing {
    pub(crate) parameters: (u32, u32),
    /// For the hash alone.
    pub(crate) hash_cpu: Duration,
}

/// Measures the hash with each set of parameters.
pub(crate) fn measure(rounds: usize) -> Result<Vec<Sizing>, Failure> {
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

/// How long work of so much processor time takes in a function of that memory,
/// in milliseconds.
pub(crate) fn millis(cpu: Duration, memory_mb: u32) -> f64 {
    let share = (f64::from(memory_mb) / WHOLE_PROCESSOR_MB).min(1.0);
    cpu.as_secs_f64() * 1_000.0 / share
}

/// What 1,000 calls of so many milliseconds cost, billed by the millisecond.
pub(crate) fn dollars_per_thousand(millis: f64, memory_mb: u32) -> f64 {
    let seconds = millis.ceil() / 1_000.0;
    let gigabytes = f64::from(memory_mb) / MB_PER_GB;
    1_000.0 * (seconds * gigabytes * DOLLARS_PER_GB_SECOND + DOLLARS_PER_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_memory_takes_four_times_as_long() {
        let cpu = Duration::from_millis(20);
        assert!((millis(cpu, 1_769) - 20.0).abs() < 1e-9);
        assert!((millis(cpu, 3_538) - 20.0).abs() < 1e-9);
        assert!((millis(cpu, 442) - 80.0).abs() < 0.1);
    }

    #[test]
    fn a_thousand_calls_of_a_second_and_a_gigabyte_have_the_list_price() {
        let price = dollars_per_thousand(1_000.0, 1_024);
        assert!((price - 0.013_533_4).abs() < 1e-9, "{price}");
    }
}
