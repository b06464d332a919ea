//! Taking second factors from those who have lost them.

use kernel::UserId;
use kernel::Role;
use testkit::{Reply, status::*};

use crate::shop::{PASSWORD, Person, Shop};

impl Shop {
    pub(crate) async fn reset_mfa(&self, id: UserId, expected: StatusCode) -> Reply {
        let client = self.reset_mfa.as_internal();
        client
            .delete(&format!("/api/users/{id}/mfa"), expected)
            .await
    }
}

#[tokio::test]
async fn a_reset_takes_the_factor_and_ends_the_sessions_of_whoever_lost_it() {
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    assert_eq!(shop.verdict(&ada.person.token).await, "user");
    for _ in 0..2 {
        shop.reset_mfa(ada.person.id, OK).await;
    }
    assert_eq!(shop.verdict(&ada.person.token).await, "session_ended");
    shop.refresh(&ada.person.refresh, UNAUTHORIZED).await;
    assert!(shop.factors().await.is_empty());
    let again = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    assert!(!shop.mfa_enabled(&again).await);
    let types = shop.table.event_types().await;
    assert_eq!(
        types,
        ["user.registered", "user.mfa_enabled", "user.mfa_disabled"]
    );
    shop.reset_mfa(testkit::new_id::<UserId>(), NOT_FOUND).await;
}

#[tokio::test]
async fn a_reset_is_for_admins_and_not_of_their_own() {
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    let path = format!("/api/users/{}/mfa", ada.person.id);
    let client = &shop.reset_mfa;
    client.delete(&path, UNAUTHORIZED).await;
    for role in [Role::User, Role::Moderator] {
        let somebody = client.as_user(testkit::new_id::<UserId>(), role);
        somebody.delete(&path, FORBIDDEN).await;
    }
    let herself = client.as_user(ada.person.id, Role::Admin);
    let reply = herself.delete(&path, FORBIDDEN).await;
    assert_eq!(reply.body["code"], "own_mfa");
    assert!(shop.mfa_enabled(&ada.person).await);
    let another = client.as_user(testkit::new_id::<UserId>(), Role::Admin);
    another.delete(&path, OK).await;
    assert!(shop.factors().await.is_empty());
}
