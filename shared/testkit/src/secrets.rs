//! Secrets Manager, as far as functions use it: they read secrets by name.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use serde_json::json;

use crate::{StubReply, StubServer};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
    version_stage: String,
}

/// A secret's text by its name and stage.
type Versions = BTreeMap<(String, &'static str), String>;

/// The secrets of a test.
pub(crate) struct TestSecrets {
    server: StubServer,
    versions: Arc<Mutex<Versions>>,
}

impl TestSecrets {
    pub(crate) async fn start() -> Self {
        let versions = Arc::new(Mutex::new(Versions::new()));
        let read = versions.clone();
        let server = StubServer::start(move |body, _| {
            let asked: GetSecretValue = serde_json::from_str(body).expect("a GetSecretValue");
            let versions = read.lock().unwrap_or_else(PoisonError::into_inner);
            let found = versions.iter().find(|((name, stage), _)| {
                (name, *stage) == (&asked.secret_id, &asked.version_stage)
            });
            match found {
                Some((_, text)) => {
                    let reply = json!({ "Name": asked.secret_id, "SecretString": text });
                    StubReply::Reply(200, reply.to_string())
                }
                None => {
                    let error = json!({ "__type": "ResourceNotFoundException", "Message": "no such version" });
                    StubReply::Reply(400, error.to_string())
                }
            }
        });
        Self {
            server: server.await,
            versions,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    pub(crate) fn set(&self, name: &str, current: &str, previous: Option<&str>) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        for (stage, text) in [("AWSCURRENT", Some(current)), ("AWSPREVIOUS", previous)] {
            let key = (name.to_owned(), stage);
            match text {
                Some(text) => versions.insert(key, text.to_owned()),
                None => versions.remove(&key),
            };
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.retain(|(secret, _), _| secret != name);
    }
}
