//! `DELETE /api/users/{id}/mfa`, for users who have lost their second factor.

use kernel::{Role, UserId};
use testkit::{Reply, status::*};

use crate::fixture::{PASSWORD, Person, TestUsers};

impl TestUsers {
    pub(crate) async fn reset_mfa(&self, id: UserId, expected: StatusCode) -> Reply {
        let client = self.internal_client();
        client
            .delete(&format!("/api/users/{id}/mfa"), expected)
            .await
    }
}

#[tokio::test]
async fn a_reset_removes_the_factor_and_ends_every_session() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    assert_eq!(users.authorize(&ada.person.token).await, "user");
    for _ in 0..2 {
        users.reset_mfa(ada.person.id, OK).await;
    }
    assert_eq!(users.authorize(&ada.person.token).await, "session_ended");
    users.refresh(&ada.person.refresh, UNAUTHORIZED).await;
    assert!(users.stored_factors().await.is_empty());
    let again = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    assert!(!users.mfa_enabled(&again).await);
    let types = users.table.event_types().await;
    assert_eq!(
        types,
        [
            "user.registered",
            "user.email_verified",
            "user.mfa_enabled",
            "user.mfa_disabled"
        ]
    );
    users
        .reset_mfa(testkit::new_id::<UserId>(), NOT_FOUND)
        .await;
}

#[tokio::test]
async fn only_admins_can_reset_mfa_and_not_their_own() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    let path = format!("/api/users/{}/mfa", ada.person.id);
    let client = users.client();
    client.delete(&path, UNAUTHORIZED).await;
    for role in [Role::User, Role::Moderator] {
        let other = client.as_user(testkit::new_id::<UserId>(), role);
        other.delete(&path, FORBIDDEN).await;
    }
    let own = client.as_user(ada.person.id, Role::Admin);
    let reply = own.delete(&path, FORBIDDEN).await;
    assert_eq!(reply.body["code"], "own_mfa");
    assert!(users.mfa_enabled(&ada.person).await);
    let another = users.register_admin("bob@example.com").await;
    users.admin_client(&another).delete(&path, OK).await;
    assert!(users.stored_factors().await.is_empty());
}
