//! Users' contact data.

use contracts::events::Preferences;
use kernel::{Timestamp, UserId};

/// The longest name, in characters, that an email greets somebody with.
const SALUTATION_CHARACTERS_MAX: usize = 60;

/// A user's contact data as the users service last published it. Kept here, so
/// that no email depends on another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    /// `None` if the user never set any.
    pub preferences: Option<Preferences>,
    /// The time of the event; older data does not replace newer.
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactState {
    Unknown,
    Known(Contact),
    /// The user has been erased and is no longer notified of anything.
    Erased,
}

impl Contact {
    /// Whether the user wants emails about orders; the default is yes. Emails
    /// about the account are sent regardless: somebody who has taken over an
    /// account must not be able to silence them.
    pub fn wants_email(&self) -> bool {
        self.preferences.is_none_or(|wanted| wanted.email)
    }

    /// The name to greet the user with, if it looks like one. Anybody can
    /// register somebody else's address, and a "name" with a link in it would
    /// make the shop send advertisements there.
    pub fn salutation(&self) -> Option<String> {
        let name = self.name.split_whitespace().collect::<Vec<_>>().join(" ");
        let fits = (1..=SALUTATION_CHARACTERS_MAX).contains(&name.chars().count());
        let has_link = name.contains(['/', ':', '@', '\\'])
            || name
                .split('.')
                .skip(1)
                .any(|rest| !rest.is_empty() && !rest.starts_with(' '));
        (fits && !has_link).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_link_or_too_long_is_not_a_salutation() {
        let salutation = |name: &str| {
            let contact = Contact {
                user_id: testkit::new_id(),
                email: "ada@example.com".into(),
                name: name.into(),
                preferences: None,
                updated_at: Timestamp::UNIX_EPOCH,
            };
            contact.salutation()
        };
        for name in ["Ada", "J. R. Okafor-Lindqvist Jr.", "王芳", "O'Neil"] {
            assert_eq!(salutation(name).as_deref(), Some(name));
        }
        assert_eq!(salutation(" Ada\n\tMarsh ").as_deref(), Some("Ada Marsh"));
        for name in [
            "",
            " ",
            "win at evil.example",
            "https://evil",
            "me@evil",
            &"x".repeat(61),
        ] {
            assert_eq!(salutation(name), None, "{name}");
        }
    }
}
