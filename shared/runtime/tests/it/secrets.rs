//! Secrets of Secrets Manager and their previous versions.

use runtime::{Environment, SecretVersions, aws::Aws};
use serde_json::json;
use testkit::{StubReply, StubServer};

/// Reads a secret whose previous version gets this reply.
async fn read(status: u16, code: &'static str) -> Option<SecretVersions> {
    let server = StubServer::start(move |body, _| {
        if body.contains("AWSPREVIOUS") && status != 200 {
            let error = json!({ "__type": code, "Message": "no" });
            return StubReply::Reply(status, error.to_string());
        }
        let text = if body.contains("AWSPREVIOUS") {
            "old"
        } else {
            "new"
        };
        let secret = json!({ "Name": "secret", "SecretString": text });
        StubReply::Reply(200, secret.to_string())
    })
    .await;
    let environment = Environment::default()
        .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", &server.url)
        .with("AWS_ACCESS_KEY_ID", "test")
        .with("AWS_SECRET_ACCESS_KEY", "test")
        .with("AWS_REGION", "eu-central-1");
    let client = Aws::from_environment(&environment).unwrap().secrets();
    runtime::read_secret(&client, "secret").await.ok()
}

#[tokio::test]
async fn a_secret_that_was_never_rotated_has_no_previous_version() {
    let versions = read(400, "ResourceNotFoundException").await.unwrap();
    assert_eq!(
        (versions.current.as_str(), versions.previous),
        ("new", None)
    );
    let versions = read(200, "").await.unwrap();
    assert_eq!(versions.previous.as_deref(), Some("old"));
}

#[tokio::test]
async fn a_previous_version_that_cannot_be_read_is_an_error() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (400, "AccessDeniedException"),
        (400, "DecryptionFailure"),
        (500, "InternalServiceError"),
    ] {
        assert!(read(status, code).await.is_none(), "{code}");
    }
}
