//! The requests of the SES mailer, and its handling of SES's replies.

use notifications::mail::{Mail, Mailer, SendMailError, SesMailer};
use runtime::{Environment, Random, aws::Aws};
use testkit::StubServer;

use crate::fixture::{error, sent};

async fn send(ses: &StubServer) -> Result<String, SendMailError> {
    let environment: Environment = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", &ses.url),
    ]
    .into_iter()
    .collect();
    let client = Aws::from_environment(&environment).unwrap().ses();
    let mail = Mail {
        to: "ada@example.com".into(),
        subject: "Hello".into(),
        text: "plain".into(),
        html: "<p>rich</p>".into(),
        correlation_id: "chain:1.a".into(),
    };
    let from = "Emporium <no-reply@shop.example>";
    let mailer = SesMailer::new(&client, from, Some("emporium-mail"), Random::system());
    mailer.send(mail).await
}

#[tokio::test]
async fn an_email_is_sent_whole_with_its_correlation_id_as_a_tag() {
    let ses = StubServer::start(|_, _| sent()).await;
    assert_eq!(send(&ses).await.unwrap(), "ses-1");
    let bodies = ses.bodies();
    assert_eq!(bodies.len(), 1);
    for part in [
        "Action=SendEmail",
        "ConfigurationSetName=emporium-mail",
        "Source=Emporium%20%3Cno-reply%40shop.example%3E",
        "Destination.ToAddresses.member.1=ada%40example.com",
        "Message.Subject.Data=Hello",
        "Message.Body.Text.Data=plain",
        "Message.Body.Html.Data=%3Cp%3Erich%3C%2Fp%3E",
        "Tags.member.1.Name=correlation-id",
        "Tags.member.1.Value=chain-1-a",
    ] {
        assert!(
            bodies[0].split('&').any(|pair| pair == part),
            "{part} not in {}",
            bodies[0]
        );
    }
}

#[tokio::test]
async fn rejections_are_distinguished_from_failures_that_may_pass() {
    for (status, code, message, is_final) in [
        (400, "MessageRejected", "Address blacklisted.", true),
        (400, "InvalidParameterValue", "Illegal address", true),
        (
            400,
            "MessageRejected",
            "Email address is not verified: ada@example.com",
            false,
        ),
        (400, "MailFromDomainNotVerified", "ada@example.com", false),
        (403, "AccessDenied", "ada@example.com", false),
        (500, "InternalFailure", "ada@example.com", false),
        (503, "ServiceUnavailable", "ada@example.com", false),
    ] {
        let ses = StubServer::start(move |_, _| error(status, code, message)).await;
        let failure = send(&ses).await.unwrap_err();
        assert_eq!(
            matches!(&failure, SendMailError::Rejected { code: found } if found == code),
            is_final,
            "{code}: {failure:?}"
        );
        // An email that may have been sent is not sent again.
        assert_eq!(ses.bodies().len(), 1, "{code}");
        // The log does not contain the address.
        let logged = format!("{} {failure:?}", runtime::log::error_chain(&failure));
        assert!(!logged.contains("ada@"), "{logged}");
        assert!(logged.contains(code), "{logged}");
    }
}

#[tokio::test]
async fn a_throttled_email_is_sent_after_a_wait() {
    let ses = StubServer::start(|_, earlier| match earlier {
        0 => error(400, "Throttling", "Maximum sending rate exceeded."),
        _ => sent(),
    })
    .await;
    assert_eq!(send(&ses).await.unwrap(), "ses-1");
    assert_eq!(ses.bodies().len(), 2);
}

#[tokio::test]
async fn an_email_that_stays_throttled_fails() {
    let ses = StubServer::start(|_, _| error(400, "Throttling", "Maximum sending rate exceeded."));
    let ses = ses.await;
    assert!(matches!(
        send(&ses).await.unwrap_err(),
        SendMailError::Failed(_)
    ));
    assert_eq!(ses.bodies().len(), 4);
}
