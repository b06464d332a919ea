//! The data of events that several handlers announce.

use contracts::events::{
    Preferences, UserEmailVerified, UserMfaDisabled, UserPasswordChanged, UserUpdated,
};

use crate::domain::User;

pub(in crate::api) fn user_updated(user: &User) -> UserUpdated {
    let preferences = user.profile.preferences;
    UserUpdated {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
        name: user.name.as_str().to_owned(),
        role: user.role.as_str().to_owned(),
        status: user.status.as_str().to_owned(),
        preferences: Some(Preferences {
            email: preferences.email,
            sms: preferences.sms,
            push: preferences.push,
            marketing: preferences.marketing,
        }),
    }
}

pub(in crate::api) fn mfa_disabled(user: &User) -> UserMfaDisabled {
    UserMfaDisabled {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    }
}

pub(in crate::api) fn password_changed(user: &User) -> UserPasswordChanged {
    UserPasswordChanged {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    }
}

pub(in crate::api) fn email_verified(user: &User) -> UserEmailVerified {
    UserEmailVerified {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
        proven: Some(user.owner_proven()),
    }
}
