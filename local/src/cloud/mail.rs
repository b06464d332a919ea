//! Embedded SES. It keeps the emails that were sent.

use std::sync::Arc;

use jiff::Timestamp;
use rustack_ses_core::{
    config::SesConfig, handler::RustackSesHandler, provider::RustackSes, retrospection::SentEmail,
};
use rustack_ses_http::service::{SesHttpConfig, SesHttpService};
use serde::Serialize;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{StopSignal, serve};
use crate::template::names;

/// How many emails are kept.
const MAILS_KEPT: usize = 1000;

/// The emails of all recipients.
pub(crate) struct Mailbox(Arc<RustackSes>);

/// An email to one recipient.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) at: String,
}

impl Default for Mailbox {
    fn default() -> Self {
        let config = SesConfig {
            default_region: names::REGION.to_owned(),
            default_account_id: names::ACCOUNT.to_owned(),
            ..SesConfig::default()
        };
        Self(Arc::new(RustackSes::new(config)))
    }
}

impl Mailbox {
    pub(crate) fn serve(&self, listener: TcpListener, stop: StopSignal) -> JoinHandle<()> {
        let handler = Arc::new(RustackSesHandler::new(self.0.clone()));
        let config = SesHttpConfig {
            region: names::REGION.to_owned(),
            ..SesHttpConfig::default()
        };
        serve(listener, SesHttpService::new(handler, config), stop)
    }

    /// The emails to `to`, or all of them, newest first.
    pub(crate) fn mails(&self, to: Option<&str>) -> Vec<Mail> {
        let store = self.0.email_store();
        let mut sent: Vec<(Timestamp, SentEmail)> = store
            .query(None, None)
            .into_iter()
            .map(|mail| {
                (
                    mail.timestamp.parse().unwrap_or(Timestamp::UNIX_EPOCH),
                    mail,
                )
            })
            .collect();
        sent.sort_by(|(one, _), (other, _)| other.cmp(one));
        for (_, expired) in sent.iter().skip(MAILS_KEPT) {
            store.remove(&expired.id);
        }
        sent.truncate(MAILS_KEPT);
        sent.iter()
            .flat_map(|(at, mail)| {
                recipients(mail).map(move |recipient| mail_to(recipient, *at, mail))
            })
            .filter(|mail| to.is_none_or(|to| mail.to.eq_ignore_ascii_case(to)))
            .collect()
    }
}

fn recipients(mail: &SentEmail) -> impl Iterator<Item = &String> {
    let destination = &mail.destination;
    destination
        .to_addresses
        .iter()
        .chain(&destination.cc_addresses)
        .chain(&destination.bcc_addresses)
}

fn mail_to(to: &str, at: Timestamp, mail: &SentEmail) -> Mail {
    let body = mail.body.as_ref();
    let raw = mail.raw_data.as_deref().unwrap_or_default();
    Mail {
        to: to.to_owned(),
        subject: mail
            .subject
            .clone()
            .unwrap_or_else(|| raw_header(raw, "subject").to_owned()),
        text: body
            .and_then(|body| body.text_part.clone())
            .unwrap_or_else(|| raw.to_owned()),
        html: body
            .and_then(|body| body.html_part.clone())
            .unwrap_or_default(),
        at: at.to_string(),
    }
}

/// A header of an email that was sent as raw MIME.
fn raw_header<'m>(raw: &'m str, name: &str) -> &'m str {
    raw.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .unwrap_or_default()
}
