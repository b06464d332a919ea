//! The optional part of an account.

use jiff::civil::Date;
use kernel::input::{FieldErrors, FromInput, Value};
use serde::{Deserialize, Serialize};

use super::{Email, Otp, Password, PersonName, Phone, User};

const BIO_LENGTH_MAX: usize = 500;
/// What every browser accepts as a URL.
const AVATAR_LENGTH_MAX: usize = 2_048;
const BIRTH_YEAR_MIN: i16 = 1900;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    Male,
    Female,
    Other,
    PreferNotToSay,
}

/// Which messages a person wants to receive, and through which channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    pub email: bool,
    pub sms: bool,
    pub push: bool,
    pub marketing: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            email: true,
            sms: false,
            push: true,
            marketing: false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<Bio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Avatar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<BirthDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    pub preferences: Preferences,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bio(String);

/// The URL of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Avatar(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BirthDate(Date);

impl BirthDate {
    fn is_past(self, today: Date) -> bool {
        self.0 <= today
    }
}

impl FromInput for Bio {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        value.trimmed(0..=BIO_LENGTH_MAX).map(Self)
    }
}

impl FromInput for Avatar {
    /// Accepts `https` only: `http` would be mixed content in the shop's pages, and
    /// `javascript:` would be an attack.
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.trimmed(1..=AVATAR_LENGTH_MAX)?;
        let refused = || FieldErrors::new("must be an https URL");
        let host = text.strip_prefix("https://").ok_or_else(refused)?;
        let host = host.split(['/', '?', '#']).next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
        if host.is_empty() || host.contains('@') || !text.chars().all(plain) {
            return Err(refused());
        }
        Ok(Self(text))
    }
}

impl FromInput for BirthDate {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.text()?;
        let refused = || FieldErrors::new("must be a date such as 1815-12-10");
        let date: Date = text.parse().map_err(|_| refused())?;
        if text.len() != "1815-12-10".len() {
            return Err(refused());
        }
        if date.year() < BIRTH_YEAR_MIN {
            return Err(FieldErrors::new(format!(
                "must not be before {BIRTH_YEAR_MIN}"
            )));
        }
        Ok(Self(date))
    }
}

impl FromInput for Gender {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        match &*value.text()? {
            "male" => Ok(Self::Male),
            "female" => Ok(Self::Female),
            "other" => Ok(Self::Other),
            "prefer_not_to_say" => Ok(Self::PreferNotToSay),
            _ => Err(FieldErrors::new(
                "must be male, female, other or prefer_not_to_say",
            )),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct PreferencesChange {
    email: Option<bool>,
    sms: Option<bool>,
    push: Option<bool>,
    marketing: Option<bool>,
}

impl FromInput for PreferencesChange {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let mut flag = |name| fields.optional_with(name, Value::boolean);
        let change = Self {
            email: flag("email"),
            sms: flag("sms"),
            push: flag("push"),
            marketing: flag("marketing"),
        };
        fields.finish(|| Some(change))
    }
}

/// A change of one's own account. The outer `None` leaves a value as it is, the
/// inner one removes it.
#[derive(Debug)]
pub struct ProfileChange {
    name: Option<PersonName>,
    phone: Option<Option<Phone>>,
    bio: Option<Option<Bio>>,
    avatar: Option<Option<Avatar>>,
    birth_date: Option<Option<BirthDate>>,
    gender: Option<Option<Gender>>,
    preferences: Option<PreferencesChange>,
    /// A new address, which takes effect once it is verified.
    pub email: Option<Email>,
    /// Required for a new address.
    pub current_password: Option<Password>,
    /// Required for a new address where there is a second factor.
    pub otp: Option<Otp>,
}

impl FromInput for ProfileChange {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let name = match fields.change("name") {
            Some(None) => fields.keep("name", Err(FieldErrors::new("is required"))),
            name => name.flatten(),
        };
        let change = Self {
            name,
            phone: fields.change("phone"),
            bio: fields.change("bio"),
            avatar: fields.change("avatar"),
            birth_date: fields.change("birthDate"),
            gender: fields.change("gender"),
            preferences: fields.optional("preferences"),
            email: fields.optional("email"),
            current_password: fields.optional_with("currentPassword", Password::attempt),
            otp: fields.optional("otp"),
        };
        if change.email.is_some() && change.current_password.is_none() {
            let missing = FieldErrors::new("is required to change the e-mail address");
            fields.keep::<()>("currentPassword", Err(missing));
        }
        fields.finish(|| Some(change))
    }
}

impl User {
    /// The user with the change applied; `None` when nothing changes. The e-mail
    /// address does not: it has to be verified first.
    ///
    /// # Errors
    /// When the birth date is after `today`.
    pub fn with_profile(
        &self,
        change: &ProfileChange,
        today: Date,
    ) -> Result<Option<Self>, FieldErrors> {
        if let Some(Some(date)) = change.birth_date
            && !date.is_past(today)
        {
            return Err(FieldErrors::at("/birthDate", "must not be in the future"));
        }
        let mut changed = self.clone();
        if let Some(name) = &change.name {
            changed.name = name.clone();
        }
        if let Some(phone) = &change.phone {
            changed.phone.clone_from(phone);
        }
        let profile = &mut changed.profile;
        if let Some(bio) = &change.bio {
            profile.bio = bio.clone().filter(|bio| !bio.0.is_empty());
        }
        if let Some(avatar) = &change.avatar {
            profile.avatar.clone_from(avatar);
        }
        if let Some(date) = change.birth_date {
            profile.birth_date = date;
        }
        if let Some(gender) = change.gender {
            profile.gender = gender;
        }
        if let Some(preferences) = change.preferences {
            let current = &mut profile.preferences;
            current.email = preferences.email.unwrap_or(current.email);
            current.sms = preferences.sms.unwrap_or(current.sms);
            current.push = preferences.push.unwrap_or(current.push);
            current.marketing = preferences.marketing.unwrap_or(current.marketing);
        }
        if changed == *self {
            return Ok(None);
        }
        changed.version += 1;
        Ok(Some(changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_avatar_is_an_https_url() {
        let read = |text: &str| Avatar::from_input(Value::Text(text)).is_ok();
        assert!(read("https://example.com/ada.png?x=1"));
        for text in [
            "",
            "http://example.com/a.png",
            "javascript:alert(1)",
            "https://",
            "https:///a",
            "https://user@evil.example/a",
            "https://example.com/\"onload=",
            "https://example.com/ä",
            &format!("https://example.com/{}", "a".repeat(2_048)),
        ] {
            assert!(!read(text), "{text}");
        }
    }

    #[test]
    fn a_birth_date_is_a_full_date_since_1900() {
        let read = |text: &str| BirthDate::from_input(Value::Text(text));
        assert!(read("1990-02-28").is_ok() && read("2024-02-29").is_ok());
        for text in [
            "1899-12-31",
            "1990-02-30",
            "1990-2-3",
            "19900203",
            "1990-02-28T00:00",
            "x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let today = Date::constant(2026, 1, 2);
        let date = |text| read(text).unwrap();
        assert!(date("2026-01-02").is_past(today) && !date("2026-01-03").is_past(today));
    }
}
