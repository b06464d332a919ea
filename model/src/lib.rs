//! The checkout as a state machine small enough to be searched completely: every
//! interleaving of a few orders with the deaths, repetitions and delays between
//! orders, catalog and payments.
//!
//! What a service decides is decided by the service's own pure functions
//! ([`orders::domain::decide`], [`catalog::domain::settle`],
//! [`payments::domain::decide`] and the state changes that follow from them), so
//! the model cannot drift from the code there. What the model adds is what
//! surrounds them in [`step`]: when a decision is stored, what is announced with
//! it, and where a function may die.
//!
//! - Each write of the model is atomic because it is one conditional write or one
//!   transaction in the store; of two writers that race, the loser decides again.
//! - An event, once announced, may be delivered at any time, any number of times,
//!   in any order, and is delivered at least once: the outbox is swept and queues
//!   redeliver.
//! - The provider keeps its promise about idempotency keys, and nothing else: a
//!   call may take effect although the caller died or gave up, also much later.
//! - Time is the end of the hold period, which may come at any moment.
//!
//! The orders are alike, so states that differ only in which order is which are
//! one state.

mod absorb;
pub mod broken;
mod deal;
mod facts;
mod kind;
mod payment;
mod provider;
mod rest;
mod step;

use std::fmt;

use stateright::{Checker, Model, Property};

pub use broken::Broken;
pub use deal::Deal;
use facts::Facts;
pub use step::Action;
use step::ActionOf;

/// The most orders that are modelled: four would not fit into memory.
pub const ORDERS_MAX: usize = 3;

/// Some orders of one unit each, for one product.
pub struct Shop {
    orders: usize,
    units: u8,
    broken: Option<Broken>,
    reduced: bool,
    facts: Facts,
}

/// Everything that is stored, under way, or known to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The available stock.
    pub stock: u8,
    /// In no particular order, so sorted.
    pub deals: Vec<Deal>,
}

/// What a search found.
#[derive(Debug)]
pub struct Report {
    pub states: usize,
    /// Steps of the longest run.
    pub depth: usize,
    /// The rules that do not hold, each with the shortest way to break it.
    pub violations: Vec<Violation>,
}

#[derive(Debug)]
pub struct Violation {
    pub rule: &'static str,
    pub story: Vec<String>,
}

impl Shop {
    /// `orders` customers who each want the only product, of which there are `units`.
    pub fn new(orders: usize, units: u8) -> Self {
        Self {
            orders: orders.min(ORDERS_MAX),
            units,
            broken: None,
            reduced: true,
            facts: Facts::new(),
        }
    }

    /// The same without one of its safeguards.
    #[must_use]
    pub fn without(self, safeguard: Broken) -> Self {
        Self {
            broken: Some(safeguard),
            ..self
        }
    }

    /// The same with every moment of steps that make no difference: twelve times as
    /// many states for two orders.
    #[must_use]
    pub fn unreduced(self) -> Self {
        Self {
            reduced: false,
            ..self
        }
    }

    /// Searches every state.
    pub fn check(self) -> Report {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let checker = self.checker().threads(threads).spawn_bfs().join();
        let violations = checker.discoveries().into_iter().map(|(rule, path)| {
            let steps = path.into_vec().into_iter();
            Violation {
                rule,
                story: steps
                    .map(|(state, action)| match action {
                        Some(action) => format!("{state}\n      {action:?}"),
                        None => state.to_string(),
                    })
                    .collect(),
            }
        });
        let mut violations: Vec<_> = violations.collect();
        violations.sort_by_key(|violation| violation.rule);
        Report {
            states: checker.unique_state_count(),
            depth: checker.max_depth(),
            violations,
        }
    }

    fn is_broken(&self, safeguard: Broken) -> bool {
        self.broken == Some(safeguard)
    }
}

impl Model for Shop {
    type State = State;
    type Action = ActionOf;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            stock: self.units,
            deals: vec![Deal::default(); self.orders],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<ActionOf>) {
        for (index, deal) in state.deals.iter().enumerate() {
            // Orders in the same state have the same future.
            if index > 0 && state.deals[index - 1] == *deal {
                continue;
            }
            let possible = self.possible(deal).into_iter();
            actions.extend(possible.map(|action| ActionOf { index, action }));
        }
    }

    /// `None` for what changes nothing, such as most repetitions: a state from
    /// which nothing leads elsewhere is an end.
    fn next_state(&self, state: &State, ActionOf { index, action }: ActionOf) -> Option<State> {
        let mut next = state.clone();
        let deal = next.deals.get_mut(index)?;
        let before = *deal;
        self.perform(action, deal, &mut next.stock);
        if *deal == before {
            return None;
        }
        if self.reduced {
            self.absorb(deal);
        }
        // Nothing is ever undone, so no run goes round in circles, and a run that
        // ends is the only kind of run.
        debug_assert!(
            self.broken.is_some() || deal.progress() > before.progress(),
            "{action:?} takes {before:?} back to {deal:?}"
        );
        next.deals.sort_unstable();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "no unit appears or vanishes",
                |shop: &Self, state: &State| {
                    let out = state.deals.iter().filter(|deal| deal.has_goods());
                    usize::from(state.stock) + out.count() == usize::from(shop.units)
                },
            ),
            Property::always(
                "an order is charged once at most, and only for goods that are sold to it",
                |_, state: &State| state.deals.iter().all(Deal::is_charged_rightly),
            ),
            Property::always("no event contradicts what it meets", |_, state: &State| {
                state.deals.iter().all(|deal| !deal.contradicted)
            }),
            Property::always("what happened is announced once", |_, state: &State| {
                state.deals.iter().all(|deal| !deal.repeated)
            }),
            Property::always("whatever is at rest is settled", |_, state: &State| {
                let mut deals = state.deals.iter();
                deals.all(|deal| !deal.is_at_rest() || deal.is_settled())
            }),
            Property::eventually("every order comes to rest", |_, state: &State| {
                state.deals.iter().all(Deal::is_at_rest)
            }),
        ]
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stock {}", self.stock)?;
        for deal in &self.deals {
            write!(f, " | {deal}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} states, {} steps at most", self.states, self.depth)?;
        for Violation { rule, story } in &self.violations {
            writeln!(f, "\nviolated: {rule}")?;
            for (number, step) in story.iter().enumerate() {
                writeln!(f, "{number:>4}  {step}")?;
            }
        }
        Ok(())
    }
}
