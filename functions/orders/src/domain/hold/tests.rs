use uuid::Uuid;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn declines(count: u32) -> HoldRecord {
    let decline = |n: u32| {
        let order_id = Uuid::from_u128(n.into()).into();
        Entry::at(order_id, after(i64::from(n))).to_string()
    };
    HoldRecord {
        declined: (0..count).map(decline).collect(),
        ..HoldRecord::default()
    }
}

#[test]
fn removing_surplus_declines_changes_no_delay() {
    for dimension in [
        Dimension::Person,
        Dimension::PaymentMethod,
        Dimension::Address,
    ] {
        let policy = dimension.policy(20);
        for count in [61, 100, 5_000] {
            let mut record = declines(count);
            let now = after(i64::from(count));
            let before = record.delay(&policy, now);
            for entry in record.surplus_declines() {
                record.declined.remove(&entry);
            }
            assert_eq!(record.declined.len(), DECLINES_KEPT);
            assert_eq!(record.delay(&policy, now), before, "{dimension:?}");
            assert_eq!(before.map(|delay| delay.as_secs()), {
                Some(policy.delay_max.as_secs() - 1)
            });
        }
    }
    assert!(declines(60).surplus_declines().is_empty());
}

#[test]
fn only_entries_of_the_same_order_are_superseded() {
    let entry = |order: u128, seconds| {
        Entry::open(Uuid::from_u128(order).into(), after(seconds)).to_string()
    };
    let record = HoldRecord {
        open: [entry(1, 0), entry(1, 5), entry(2, 0)].into(),
        ..HoldRecord::default()
    };
    assert_eq!(record.superseded(&entry(1, 5)), [entry(1, 0)]);
    assert_eq!(record.superseded(&entry(3, 5)), [""; 0]);
}

#[test]
fn no_setting_lets_a_record_outgrow_its_item() {
    for dimension in [
        Dimension::Person,
        Dimension::PaymentMethod,
        Dimension::Address,
    ] {
        let policy = dimension.policy(u32::MAX);
        let entry = Entry::open(Uuid::max().into(), Timestamp::MAX).to_string();
        let most = usize::try_from(policy.open_max).unwrap();
        assert!((most + DECLINES_MAX) * entry.len() < 300_000);
    }
}
