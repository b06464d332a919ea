//! Describes the machine that the figures were measured on.

use std::{path::Path, process::Command};

use crate::Error;

/// One line about the machine, the commit and the command.
pub(crate) fn describe(root: &Path, quick: bool) -> Result<String, Error> {
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let commit = output(
        root,
        "git",
        &["describe", "--always", "--dirty", "--exclude=*"],
    )?;
    let node = output(root, "node", &["--version"])?;
    let now = crate::clock::time().to_string();
    let date = now.split('T').next().unwrap_or_default();
    let command = if quick {
        "QUICK=1 make bench"
    } else {
        "make bench"
    };
    Ok(format!(
        "Measured on {date} at commit `{commit}` by `{command}`: {model}, {cores} cores, Linux {}, Node {node}.",
        kernel.trim(),
    ))
}

fn output(root: &Path, program: &str, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
