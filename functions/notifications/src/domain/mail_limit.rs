//! How many emails an address receives, whoever causes them. Anybody can register
//! somebody else's address, so what an account does must not fill a mailbox that
//! nobody has proven to be theirs; nor may anything that somebody can repeat keep
//! a warning from the owner of an account.

use kernel::SignedDuration;

use super::{MessageKind, Notification};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A limit on emails within a sliding window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLimit {
    /// What is limited; the same key under another name counts separately.
    pub name: String,
    /// Whose emails count together.
    pub key: String,
    pub mails: usize,
    pub window: SignedDuration,
}

impl MailLimit {
    /// The limit that applies to a notification; `is_verified` says whether its
    /// user has proven to own the address. What goes to a verified address never
    /// counts together with what goes to an unverified one, so that strangers'
    /// accounts cannot use up an owner's limits.
    pub fn of(notification: &Notification, address: &str, is_verified: bool) -> Option<Self> {
        let message = &notification.message;
        let template = message.template();
        let limit = |name: &str, key, mails, window| {
            let name = format!("{name}-emails");
            Some(Self {
                name,
                key,
                mails,
                window,
            })
        };
        match (message.kind(), is_verified) {
            // Requests are limited by users for each address, and a confirmation
            // was paid for.
            (MessageKind::Request | MessageKind::Confirmation, true) => None,
            // More than users lets through for one address: this bounds the
            // tagged ones, and accounts that are registered and moved away.
            (MessageKind::Request, false) => {
                let name = format!("unverified-{template}");
                limit(&name, separate_mailbox(address), 10, HOUR)
            }
            // Each kind and account by itself: a thief who changes the password
            // again and again silences nothing else.
            (MessageKind::Notice, true) => {
                let key = format!("{} {address}", notification.user_id);
                limit(template, key, 5, HOUR)
            }
            (MessageKind::Notice, false) => {
                let name = format!("unverified-{template}");
                limit(&name, separate_mailbox(address), 1, DAY)
            }
            (MessageKind::Confirmation, false) => {
                limit("unverified-order", mailbox(address).0, 10, HOUR)
            }
            (MessageKind::Failure, true) => limit("failed-order", mailbox(address).0, 10, HOUR),
            // The page that placed the order shows its failure as well.
            (MessageKind::Failure, false) => {
                limit("unverified-failed-order", mailbox(address).0, 1, DAY)
            }
        }
    }
}

/// The address without its tag, and whether it has one: most providers deliver
/// `ada+shop@example.com` to the mailbox of `ada@example.com`. For limits only;
/// as identities, the two are different.
fn mailbox(address: &str) -> (String, bool) {
    let address = address.to_ascii_lowercase();
    let parts = address.rsplit_once('@');
    let parts = parts.and_then(|(local, domain)| Some((local.split_once('+')?.0, domain)));
    match parts {
        Some((local, domain)) if !local.is_empty() => (format!("{local}@{domain}"), true),
        _ => (address, false),
    }
}

/// Like [`mailbox`], but all tagged addresses of a mailbox count together and
/// apart from the plain one. Emails about the account are limited by it: an
/// owner's plain address has one account, while strangers can register as many
/// tagged ones as they like.
fn separate_mailbox(address: &str) -> String {
    let (mailbox, is_tagged) = mailbox(address);
    if is_tagged {
        format!("tagged {mailbox}")
    } else {
        mailbox
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_the_address_without_its_tag() {
        for (address, expected, is_tagged) in [
            ("ada@example.com", "ada@example.com", false),
            ("Ada+Shop@Example.com", "ada@example.com", true),
            ("ada+a+b@example.com", "ada@example.com", true),
            ("ada+@example.com", "ada@example.com", true),
            ("+ada@example.com", "+ada@example.com", false),
            ("ada@ex+ample.com", "ada@ex+ample.com", false),
            ("ada", "ada", false),
        ] {
            assert_eq!(mailbox(address), (expected.to_owned(), is_tagged));
        }
    }

    #[test]
    fn tagged_addresses_count_together_and_apart_from_the_plain_one() {
        let [plain, first, second] =
            ["ada@example.com", "ada+1@example.com", "ada+2@example.com"].map(separate_mailbox);
        assert_eq!(first, second);
        assert_ne!(plain, first);
    }
}
