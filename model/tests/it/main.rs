//! The whole state space of two orders, and of one order for each safeguard that
//! is taken out. `make model ORDERS=3` takes longer.

use model::{Broken, Shop};

/// States of two orders for one unit: far fewer would mean that the search no
/// longer sees what it is for.
const STATES_MIN: usize = 10_000;

#[test]
fn one_order_ends_well_with_nothing_left_out() {
    let report = Shop::new(1, 1).unreduced().check();
    eprintln!("1 order, 1 unit, unreduced: {report}");
    assert!(report.violations.is_empty(), "{report}");
}

#[test]
fn leaving_out_steps_that_make_no_difference_hides_nothing() {
    let reduced = Shop::new(2, 1).check();
    let all = Shop::new(2, 1).unreduced().check();
    eprintln!("2 orders, 1 unit, unreduced: {all}");
    assert!(all.violations.is_empty(), "{all}");
    assert!(all.states > reduced.states);
}

#[test]
fn two_orders_for_one_unit_end_well_whatever_happens() {
    for units in [1, 2] {
        let report = Shop::new(2, units).check();
        eprintln!("2 orders, {units} units: {report}");
        assert!(report.violations.is_empty(), "{report}");
        assert!(report.states > STATES_MIN, "{report}");
    }
}

#[test]
fn without_any_one_of_its_safeguards_an_order_can_end_badly() {
    for safeguard in Broken::ALL {
        let report = Shop::new(1, 1).without(safeguard).check();
        eprintln!("without {safeguard:?}: {report}");
        assert!(!report.violations.is_empty(), "{safeguard:?} is not missed");
    }
}
