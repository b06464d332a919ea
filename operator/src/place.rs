//! Where the shop is: the names of its tables and queues.
//!
//! `health` has all of them in its environment, and a test sees to it that none is
//! missing there. So one call finds them: of Lambda for a stack, of the development
//! server for a laptop.

use std::{collections::BTreeMap, time::Duration};

use runtime::{Environment, Error, aws::Aws};

/// The function whose environment names every table and queue.
const FUNCTION: &str = "health";
/// How long the development server may take to answer.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The variables of that function that are needed.
const VARIABLES: [&str; 3] = ["HEALTH_TABLES", "HEALTH_QUEUES", "HEALTH_TOPICS"];
/// The variable with the name of the function, which begins with that of the stack.
pub(crate) const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The environment of a shop that runs on this machine.
///
/// # Errors
/// When nothing answers at `url`, or it is no development server.
pub async fn local(url: &str) -> Result<Environment, Error> {
    let client = reqwest::Client::builder().timeout(LOCAL_TIMEOUT).build()?;
    let url = format!(
        "{}/_local/environment?function={FUNCTION}",
        url.trim_end_matches('/')
    );
    let reply = client.get(&url).send().await.map_err(|error| {
        format!("no shop answers at {url}: start one with `make dev`, or name a stack ({error})")
    })?;
    let variables: BTreeMap<String, String> = reply.error_for_status()?.json().await?;
    Ok(variables.into_iter().collect())
}

/// The environment of a stack in AWS, with the region and the credentials of this
/// process.
///
/// # Errors
/// When they are missing, or there is no such stack.
pub async fn stack(name: &str, process: &Environment) -> Result<Environment, Error> {
    let aws = Aws::from_environment(process)?;
    let function = format!("{name}-{FUNCTION}");
    let lambda = crate::shop::patient_lambda(&aws);
    let request = lambda
        .get_function_configuration()
        .function_name(&function)
        .send();
    let found = request
        .await
        .map_err(|error| format!("{function}: {}", runtime::log::error_chain(&error)))?;
    let variables = found.environment.and_then(|found| found.variables);
    let variables = variables.unwrap_or_default();
    let mut environment = process.with(FUNCTION_NAME, &function);
    for variable in VARIABLES {
        let value = variables.get(variable).map(String::as_str);
        let value = value.ok_or_else(|| format!("{function} has no {variable}"))?;
        environment = environment.with(variable, value);
    }
    Ok(environment)
}
