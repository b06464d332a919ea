//! What the SES mailer sends, and how it takes SES's answers.

use notifications::mail::{Mail, Mailer, SendMailError, SesMailer};
use runtime::{Environment, aws::Aws};
use testkit::{StubReply, StubServer};

const SENT: &str = "<SendEmailResponse><SendEmailResult><MessageId>ses-1</MessageId>\
    </SendEmailResult></SendEmailResponse>";

fn refused(status: u16, code: &str, message: &str) -> StubReply {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error></ErrorResponse>"
    );
    StubReply::Reply(status, body)
}

fn sent() -> StubReply {
    StubReply::Reply(200, SENT.into())
}

async fn send(peer: &StubServer) -> Result<String, SendMailError> {
    let environment: Environment = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", &peer.url),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let client = Aws::from_environment(&environment).unwrap().ses();
    let mail = Mail {
        to: "ada@example.com".into(),
        subject: "Hello".into(),
        text: "plain".into(),
        html: "<p>rich</p>".into(),
        correlation_id: "chain:1.a".into(),
    };
    SesMailer::new(&client, "Emporium <no-reply@shop.example>")
        .send(mail)
        .await
}

#[tokio::test]
async fn a_mail_goes_out_whole_with_its_chain_as_a_tag() {
    let peer = StubServer::start(|_, _| sent()).await;
    assert_eq!(send(&peer).await.unwrap(), "ses-1");
    let bodies = peer.bodies();
    assert_eq!(bodies.len(), 1);
    for part in [
        "Action=SendEmail",
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
async fn what_ses_will_never_take_is_told_from_what_it_may_take_later() {
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
        let peer = StubServer::start(move |_, _| refused(status, code, message)).await;
        let error = send(&peer).await.unwrap_err();
        assert_eq!(
            matches!(&error, SendMailError::Refused { code: said } if said == code),
            is_final,
            "{code}: {error:?}"
        );
        // Nothing is repeated that may have been sent already.
        assert_eq!(peer.bodies().len(), 1, "{code}");
        // Nothing that is logged names the address.
        let logged = format!("{} {error:?}", runtime::log::error_chain(&error));
        assert!(!logged.contains("ada@"), "{logged}");
        assert!(logged.contains(code), "{logged}");
    }
}

#[tokio::test]
async fn a_pace_that_is_too_fast_is_slowed() {
    let peer = StubServer::start(|_, before| match before {
        0 => refused(400, "Throttling", "Maximum sending rate exceeded."),
        _ => sent(),
    })
    .await;
    assert_eq!(send(&peer).await.unwrap(), "ses-1");
    assert_eq!(peer.bodies().len(), 2);
}

#[tokio::test]
async fn a_pace_that_stays_too_fast_is_left_to_the_queue() {
    let peer =
        StubServer::start(|_, _| refused(400, "Throttling", "Maximum sending rate exceeded."));
    let peer = peer.await;
    assert!(matches!(
        send(&peer).await.unwrap_err(),
        SendMailError::Failed(_)
    ));
    assert_eq!(peer.bodies().len(), 4);
}
