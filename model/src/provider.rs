//! The payment provider: what it did under each idempotency key.

use std::fmt;

/// The state of a payment in our table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Money {
    Pending,
    Authorized,
    Capturing,
    Voiding,
    Declined,
    Captured,
    CaptureFailed,
    Voided,
    /// The order ended before the provider was asked.
    NeverAsked,
}

/// A call, identified by its idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    Authorize,
    Capture,
    /// Voiding the authorisation of an order that ended.
    Void,
    /// Voiding an authorisation whose capture failed.
    Release,
}

/// What has become of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fate {
    #[default]
    NotMade,
    /// Its caller gave up waiting; it will arrive.
    UnderWay,
    Succeeded,
    Failed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Provider {
    authorize: Fate,
    capture: Fate,
    void: Fate,
    release: Fate,
    /// How often money was taken.
    pub(crate) charges: u8,
}

impl Provider {
    const fn fate(&mut self, call: Call) -> &mut Fate {
        match call {
            Call::Authorize => &mut self.authorize,
            Call::Capture => &mut self.capture,
            Call::Void => &mut self.void,
            Call::Release => &mut self.release,
        }
    }

    /// The call arrives, with this answer if it is the first under its key. `again`:
    /// the key is new for each call.
    pub(crate) const fn arrive(&mut self, call: Call, agrees: bool, again: bool) -> bool {
        match *self.fate(call) {
            Fate::Succeeded if !again => return true,
            Fate::Failed if !again => return false,
            _ => {}
        }
        let succeeds = match call {
            Call::Authorize => agrees,
            // It cannot take what it has not promised, or no longer promises.
            Call::Capture => agrees && self.is_authorized(),
            Call::Void | Call::Release => true,
        };
        if succeeds && matches!(call, Call::Capture) && self.charges < 2 {
            self.charges += 1;
        }
        *self.fate(call) = if succeeds {
            Fate::Succeeded
        } else {
            Fate::Failed
        };
        succeeds
    }

    /// The caller gives up before the call arrives.
    pub(crate) const fn delay(&mut self, call: Call) {
        let fate = self.fate(call);
        if matches!(fate, Fate::NotMade) {
            *fate = Fate::UnderWay;
        }
    }

    pub(crate) const fn is_under_way(self, call: Call) -> bool {
        let mut provider = self;
        matches!(provider.fate(call), Fate::UnderWay)
    }

    const fn is_authorized(self) -> bool {
        matches!(self.authorize, Fate::Succeeded)
            && !matches!(self.void, Fate::Succeeded)
            && !matches!(self.release, Fate::Succeeded)
    }

    /// Whether money is promised that was neither taken nor given up.
    pub(crate) const fn has_standing_promise(self) -> bool {
        self.is_authorized() && self.charges == 0
    }

    pub(crate) fn calls_under_way(self) -> bool {
        [Call::Authorize, Call::Capture, Call::Void, Call::Release]
            .into_iter()
            .any(|call| self.is_under_way(call))
    }

    pub(crate) fn progress(self) -> u32 {
        let fates = [self.authorize, self.capture, self.void, self.release];
        fates
            .map(|fate| (fate as u32).min(Fate::Succeeded as u32))
            .iter()
            .sum()
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, fate) in [
            ("authorise", self.authorize),
            ("capture", self.capture),
            ("void", self.void),
            ("release", self.release),
        ] {
            if fate != Fate::NotMade {
                write!(f, ", {name} {fate:?}")?;
            }
        }
        if self.charges > 0 {
            write!(f, ", charged {} times", self.charges)?;
        }
        Ok(())
    }
}
