//! Seeing, listing and closing accounts, and that somebody is left to do it.

use futures_util::future::join_all;
use kernel::UserId;
use kernel::Role;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::shop::{PASSWORD, Person, Shop};

async fn list(shop: &Shop, query: &str) -> Reply {
    let path = format!("/api/users{query}");
    shop.list_users.as_internal().get(&path, OK).await
}

fn emails(reply: &Reply) -> Vec<&str> {
    let users = reply.body["data"].as_array().unwrap();
    users
        .iter()
        .map(|user| user["email"].as_str().unwrap())
        .collect()
}

async fn promote(shop: &Shop, name: &str) -> Person {
    let person = shop.register(&format!("{name}@example.com")).await;
    shop.update(person.id, &json!({"role": "admin"}), OK).await;
    person
}

async fn close(shop: &Shop, by: &Person, whom: &Person, expected: StatusCode) -> Reply {
    let client = shop
        .delete_user
        .as_session(by.id, by.session_id(), Role::Admin);
    client
        .delete(&format!("/api/users/{}", whom.id), expected)
        .await
}

#[tokio::test]
async fn users_are_listed_by_address_with_filters_pages_and_totals() {
    let shop = Shop::open().await;
    for name in ["eve", "adam", "bob", "ada", "carol"] {
        shop.register(&format!("{name}@example.com")).await;
    }
    let bob = emails(&list(&shop, "?email=bob").await)[0].to_owned();
    assert_eq!(bob, "bob@example.com");
    let all = list(&shop, "").await;
    let sorted = ["ada", "adam", "bob", "carol", "eve"].map(|name| format!("{name}@example.com"));
    assert_eq!(emails(&all), sorted);
    assert_eq!(all.body["meta"]["pagination"]["total"], 5);
    let id = |at: usize| -> UserId {
        all.body["data"][at]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    shop.update(id(0), &json!({"role": "moderator"}), OK).await;
    shop.update(id(2), &json!({"status": "suspended"}), OK)
        .await;
    for (query, found, total) in [
        ("?role=moderator", vec!["ada"], json!(1)),
        ("?status=suspended", vec!["bob"], json!(1)),
        (
            "?status=active&role=user",
            vec!["adam", "carol", "eve"],
            json!(3),
        ),
        ("?status=pending", vec![], json!(0)),
        ("?email=AD", vec!["ada", "adam"], Value::Null),
        ("?email=ad&role=user", vec!["adam"], Value::Null),
        ("?email=zoe", vec![], Value::Null),
    ] {
        let reply = list(&shop, query).await;
        let found: Vec<String> = found
            .iter()
            .map(|name| format!("{name}@example.com"))
            .collect();
        assert_eq!(emails(&reply), found, "{query}");
        assert_eq!(reply.body["meta"]["pagination"]["total"], total, "{query}");
    }
    for filter in ["", "&email=a", "&status=active"] {
        let whole = list(&shop, &format!("?limit=100{filter}")).await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = list(&shop, &format!("?limit=1{filter}{cursor}")).await;
            seen.extend(emails(&page).into_iter().map(str::to_owned));
            let Some(next) = page.body["meta"]["pagination"]["nextCursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, emails(&whole), "{filter}");
        assert!(seen.len() > 1, "{filter}");
    }
    let path = "/api/users?status=gone&role=root&limit=0&cursor=x&page=2";
    let reply = shop
        .list_users
        .as_internal()
        .get(path, UNPROCESSABLE_ENTITY)
        .await;
    let mut fields = reply.invalid_fields();
    fields.sort_unstable();
    assert_eq!(fields, ["limit", "page", "role", "status"]);
}

#[tokio::test]
async fn an_account_shows_who_and_when_but_no_hash() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.log_in("ada@example.com", PASSWORD, OK).await;
    let path = format!("/api/users/{}", ada.id);
    let reply = shop.get_user.as_internal().get(&path, OK).await;
    let data = &reply.body["data"];
    assert_eq!(data["email"], "ada@example.com");
    assert_eq!(
        (&data["lastLoginIp"], &data["lastLoginAt"]),
        (&json!("203.0.113.7"), &json!("2026-01-01T00:00:00Z"))
    );
    assert!(!reply.body.to_string().contains("argon2"));
    ada.client(&shop.get_user).get(&path, FORBIDDEN).await;
    ada.client(&shop.list_users)
        .get("/api/users", FORBIDDEN)
        .await;
    ada.client(&shop.delete_user).delete(&path, FORBIDDEN).await;
    shop.get_user.get(&path, UNAUTHORIZED).await;
    let nobody = format!("/api/users/{}", testkit::new_id::<UserId>());
    shop.get_user.as_internal().get(&nobody, NOT_FOUND).await;
    shop.delete_user
        .as_internal()
        .delete(&nobody, NOT_FOUND)
        .await;
}

#[tokio::test]
async fn a_closed_account_is_out_at_once_and_announced_once() {
    let shop = Shop::open().await;
    let admin = promote(&shop, "root").await;
    let ada = shop.register("ada@example.com").await;
    close(&shop, &admin, &ada, OK).await;
    close(&shop, &admin, &ada, OK).await;
    assert_eq!(shop.verdict(&ada.token).await, "account_inactive");
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    let types = shop.table.event_types().await;
    let of_ada = &types[types.len() - 2..];
    assert_eq!(of_ada, ["user.updated", "user.deactivated"]);
    assert_eq!(
        types
            .iter()
            .filter(|kind| *kind == "user.deactivated")
            .count(),
        1
    );
    assert_eq!(
        emails(&list(&shop, "?status=inactive").await),
        ["ada@example.com"]
    );
}

#[tokio::test]
async fn people_cannot_leave_the_shop_without_an_admin() {
    let shop = Shop::open().await;
    let (one, two) = (promote(&shop, "one").await, promote(&shop, "two").await);
    // Both close each other at once: one wins.
    let replies = join_all([(&one, &two), (&two, &one)].map(|(by, whom)| {
        let client = shop
            .delete_user
            .as_session(by.id, by.session_id(), Role::Admin);
        let path = format!("/api/users/{}", whom.id);
        client.exchange(http::Method::DELETE, &path, None)
    }))
    .await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{replies:?}");
    let left = if replies[0].status == OK { &one } else { &two };
    assert_eq!(
        close(&shop, left, left, CONFLICT).await.body["code"],
        "last_admin"
    );
    let client = shop
        .update
        .as_session(left.id, left.session_id(), Role::Admin);
    let path = format!("/api/users/{}", left.id);
    for change in [json!({"role": "user"}), json!({"status": "suspended"})] {
        let reply = client.patch(&path, &change, CONFLICT).await;
        assert_eq!(reply.body["code"], "last_admin");
    }
    assert_eq!(
        emails(&list(&shop, "?role=admin&status=active").await),
        [left.email.as_str()]
    );
    // Whoever has the internal key can: there can always be another one.
    shop.update(left.id, &json!({"role": "user"}), OK).await;
    shop.update(left.id, &json!({"role": "admin"}), OK).await;
    close(&shop, left, left, CONFLICT).await;
}
