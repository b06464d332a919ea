//! Embedded Secrets Manager. Generated secrets are kept, so that tokens signed
//! before a restart remain valid.

use std::{collections::BTreeMap, io::Write, path::Path, sync::Arc};

use runtime::Environment;
use rustack_secretsmanager_core::{
    config::SecretsManagerConfig, handler::RustackSecretsManagerHandler,
    provider::RustackSecretsManager,
};
use rustack_secretsmanager_http::service::{SecretsManagerHttpConfig, SecretsManagerHttpService};
use rustack_secretsmanager_model::input::CreateSecretInput;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{CloudError, StopSignal, serve};
use crate::template::{Secret, SecretValue, names, upper_snake};

/// The file in the data directory, readable by its owner only.
const FILE: &str = "secrets.json";

/// Well-known values, so that scripts work without configuration. The
/// environment overrides them.
const DEFAULTS: &[(&str, &str)] = &[("INTERNAL_KEY", "local-internal-key")];

/// All secrets.
pub(crate) struct Secrets {
    provider: Arc<RustackSecretsManager>,
    /// By name.
    arns: BTreeMap<String, String>,
    /// By name.
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// Creates the secrets. If `environment` has a variable named like the last
    /// segment of a secret's name, in upper snake case, it sets the value.
    pub(crate) fn create(
        secrets: &[Secret],
        directory: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, CloudError> {
        let config = SecretsManagerConfig {
            default_region: names::REGION.to_owned(),
            default_account_id: names::ACCOUNT.to_owned(),
            ..SecretsManagerConfig::default()
        };
        let provider = Arc::new(RustackSecretsManager::new(config));
        let file = directory.map(|directory| directory.join(FILE));
        let mut kept = file.as_deref().map(read).transpose()?.unwrap_or_default();
        let kept_before = kept.len();
        let (mut arns, mut values) = (BTreeMap::new(), BTreeMap::new());
        for secret in secrets {
            let rejected = |reason: String| CloudError::rejected(&secret.logical_id, reason);
            let segment = secret.name.rsplit('/').next().unwrap_or_default();
            let variable = upper_snake(segment);
            let default = DEFAULTS
                .iter()
                .find(|(name, _)| *name == variable)
                .map(|(_, value)| *value);
            let given = environment.get(&variable).or(default);
            let value = match (&secret.value, given) {
                (SecretValue::Given(text), None) => text.clone(),
                (SecretValue::Given(_), Some(given)) => given.to_owned(),
                (SecretValue::Generated { within, .. }, Some(given)) => {
                    embed(within.as_ref(), given)
                }
                (SecretValue::Generated { password, within }, None) => match kept.get(&secret.name)
                {
                    Some(value) => value.clone(),
                    None => {
                        let input = serde_json::from_value(password.clone())
                            .map_err(|error| rejected(error.to_string()))?;
                        let generated = provider
                            .handle_get_random_password(&input)
                            .map_err(|error| rejected(error.to_string()))?;
                        let generated = generated.random_password.unwrap_or_default();
                        let value = embed(within.as_ref(), &generated);
                        kept.insert(secret.name.clone(), value.clone());
                        value
                    }
                },
            };
            let input = CreateSecretInput {
                name: secret.name.clone(),
                secret_string: Some(value.clone()),
                ..CreateSecretInput::default()
            };
            let created = provider
                .handle_create_secret(input)
                .map_err(|error| rejected(error.to_string()))?;
            arns.insert(secret.name.clone(), created.arn.unwrap_or_default());
            values.insert(secret.name.clone(), value);
        }
        if let Some(file) = file
            && kept.len() > kept_before
        {
            write(&file, &kept)?;
        }
        Ok(Self {
            provider,
            arns,
            values,
        })
    }

    pub(crate) fn serve(&self, listener: TcpListener, stop: StopSignal) -> JoinHandle<()> {
        let handler = Arc::new(RustackSecretsManagerHandler::new(self.provider.clone()));
        let config = SecretsManagerHttpConfig {
            region: names::REGION.to_owned(),
            ..SecretsManagerHttpConfig::default()
        };
        serve(
            listener,
            SecretsManagerHttpService::new(handler, config),
            stop,
        )
    }

    /// ARNs by name.
    pub(crate) fn arns(&self) -> &BTreeMap<String, String> {
        &self.arns
    }

    /// The value of the secret whose name ends with this segment.
    pub(crate) fn value(&self, segment: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(name, _)| name.rsplit('/').next() == Some(segment))
            .map(|(_, value)| value.as_str())
    }
}

/// Embeds a password in the JSON object that the template declares for it.
fn embed(within: Option<&(String, String)>, password: &str) -> String {
    let Some((template, key)) = within else {
        return password.to_owned();
    };
    let mut object: Value =
        serde_json::from_str(template).unwrap_or_else(|_| Value::Object(serde_json::Map::new()));
    object[key.as_str()] = password.into();
    object.to_string()
}

fn read(file: &Path) -> Result<BTreeMap<String, String>, CloudError> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            let what = format!(
                "{} is invalid; delete it (which ends all sessions)",
                file.display()
            );
            CloudError::io(what)(error.into())
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(CloudError::io(format!("cannot read {}", file.display()))(
            error,
        )),
    }
}

/// Writes the file atomically, readable by its owner only.
fn write(file: &Path, secrets: &BTreeMap<String, String>) -> Result<(), CloudError> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let attempt = || -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        // A temporary file is created with mode 0600.
        let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
        temporary.write_all(&serde_json::to_vec_pretty(secrets)?)?;
        temporary.persist(file)?;
        Ok(())
    };
    attempt().map_err(CloudError::io(format!("cannot write {}", file.display())))
}
