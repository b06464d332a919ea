//! How a person is reached.

use contracts::events::Preferences;
use jiff::Timestamp;
use kernel::UserId;

/// The longest name that is used to address somebody.
const SALUTATION_CHARACTERS_MAX: usize = 60;

/// How a person is reached, as the users service said last. Kept here, so that
/// no mail waits for another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub user_id: UserId,
    /// The e-mail address.
    pub email: String,
    /// The name.
    pub name: String,
    /// What the person wants to hear; `None` when the person never said.
    pub preferences: Option<Preferences>,
    /// When that was so; what is older changes nothing.
    pub updated_at: Timestamp,
}

/// What is known of how a person is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing, yet.
    Unknown,
    /// This.
    At(Contact),
    /// The person was erased, and is to be told nothing any more.
    Erased,
}

impl Contact {
    /// Whether mails about orders are welcome, which they are until the person
    /// says otherwise. Mails about the account itself go out in any case: who
    /// has taken over an account must not be able to silence them.
    pub fn wants_email(&self) -> bool {
        self.preferences.is_none_or(|wanted| wanted.email)
    }

    /// The name to begin a mail with, when it is no more than a name. Anybody
    /// can register somebody else's address, and a "name" with a link in it
    /// would make the shop send advertisements to it.
    pub fn salutation(&self) -> Option<String> {
        let name = self.name.split_whitespace().collect::<Vec<_>>().join(" ");
        let fits = (1..=SALUTATION_CHARACTERS_MAX).contains(&name.chars().count());
        let links = name.contains(['/', ':', '@', '\\'])
            || name
                .split('.')
                .skip(1)
                .any(|rest| !rest.is_empty() && !rest.starts_with(' '));
        (fits && !links).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_addresses_somebody() {
        let salutation = |name: &str| {
            let contact = Contact {
                user_id: testkit::new_id::<UserId>(),
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
