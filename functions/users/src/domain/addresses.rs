//! A person's address book.

use kernel::{
    Address, AddressId,
    input::{FieldErrors, FromInput, Value},
};
use serde::{Deserialize, Serialize};

/// A bound on the size of the one item that holds them.
pub const ADDRESSES_MAX: usize = 20;

/// A person's addresses, oldest first. Unless there are none, exactly one is the
/// default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    entries: Vec<Entry>,
    /// Raised by every change, for optimistic locking.
    pub version: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub id: AddressId,
    #[serde(flatten)]
    pub address: Address,
    pub is_default: bool,
}

/// Why an address book cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeAddressesError {
    #[error("there is no such address")]
    Unknown,
    #[error("an address book holds at most {ADDRESSES_MAX} addresses")]
    Full,
}

#[derive(Clone, Debug)]
pub struct AddressInput {
    address: Address,
    is_default: Option<bool>,
}

impl FromInput for AddressInput {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let address = Address::from_fields(&mut fields);
        let is_default = fields.optional_with("isDefault", Value::boolean);
        fields.finish(|| {
            Some(Self {
                address: address?,
                is_default,
            })
        })
    }
}

impl AddressBook {
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn find(&self, id: AddressId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// The entry with an equal address.
    pub fn find_equal(&self, input: &AddressInput) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.address == input.address)
    }

    /// The book with one more address; the first one is the default. An address
    /// that it has is not added again, so a client that got no reply can send the
    /// same request; it becomes the default if the input says so.
    ///
    /// # Errors
    /// When it is full.
    pub fn with(&self, id: AddressId, input: &AddressInput) -> Result<Self, ChangeAddressesError> {
        let wants_default = input.is_default.unwrap_or(false);
        if let Some(existing) = self.find_equal(input) {
            let unchanged = existing.is_default || !wants_default;
            return Ok(if unchanged {
                self.clone()
            } else {
                self.next_version(self.entries.clone(), Some(existing.id))
            });
        }
        if self.entries.len() >= ADDRESSES_MAX {
            return Err(ChangeAddressesError::Full);
        }
        let mut entries = self.entries.clone();
        entries.push(Entry {
            id,
            address: input.address.clone(),
            is_default: false,
        });
        Ok(self.next_version(entries, wants_default.then_some(id)))
    }

    /// The book with an address replaced. Another default is chosen by naming it, so
    /// `isDefault: false` has no effect.
    pub fn changed(
        &self,
        id: AddressId,
        input: &AddressInput,
    ) -> Result<Self, ChangeAddressesError> {
        let mut entries = self.entries.clone();
        let entry = entries.iter_mut().find(|entry| entry.id == id);
        let entry = entry.ok_or(ChangeAddressesError::Unknown)?;
        entry.address = input.address.clone();
        Ok(self.next_version(entries, input.is_default.unwrap_or(false).then_some(id)))
    }

    /// The book with an address removed.
    pub fn without(&self, id: AddressId) -> Result<Self, ChangeAddressesError> {
        self.find(id).ok_or(ChangeAddressesError::Unknown)?;
        let mut entries = self.entries.clone();
        entries.retain(|entry| entry.id != id);
        Ok(self.next_version(entries, None))
    }

    /// The next version of the book with one default: the requested one, or else
    /// the current one, or else the oldest.
    fn next_version(&self, mut entries: Vec<Entry>, requested: Option<AddressId>) -> Self {
        let current = || entries.iter().find(|entry| entry.is_default);
        let default = requested
            .or_else(|| current().map(|entry| entry.id))
            .or_else(|| entries.first().map(|entry| entry.id));
        for entry in &mut entries {
            entry.is_default = Some(entry.id) == default;
        }
        Self {
            entries,
            version: self.version + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::input::Fields;
    use proptest::prelude::*;

    use super::*;

    fn input(line1: &str, is_default: Option<bool>) -> AddressInput {
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let members = [
            text("name", "Ada"),
            text("line1", line1),
            text("city", "Springfield"),
            text("postalCode", "97477"),
            text("country", "US"),
        ];
        AddressInput {
            address: Address::from_fields(&mut Fields::of_query(&members)).unwrap(),
            is_default,
        }
    }

    #[test]
    fn a_full_address_book_takes_no_more_addresses() {
        let mut book = AddressBook::default();
        for n in 0..ADDRESSES_MAX {
            let input = input(&format!("{n} Lamp Street"), None);
            book = book.with(testkit::new_id(), &input).unwrap();
        }
        let full = book.with(testkit::new_id(), &input("another", None));
        assert_eq!(full, Err(ChangeAddressesError::Full));
        // An address that it has is not added again, as after a lost reply.
        let again = input("3 Lamp Street", None);
        assert_eq!(book.with(testkit::new_id(), &again), Ok(book.clone()));
    }

    #[test]
    fn an_equal_address_is_not_added_again_but_can_become_the_default() {
        let (first, second) = (testkit::new_id(), testkit::new_id());
        let book = AddressBook::default()
            .with(first, &input("1", None))
            .unwrap();
        let book = book.with(second, &input("2", None)).unwrap();
        for is_default in [None, Some(false)] {
            let again = book.with(testkit::new_id(), &input("2", is_default));
            assert_eq!(again, Ok(book.clone()));
        }
        let next = book.with(testkit::new_id(), &input("2", Some(true)));
        let next = next.unwrap();
        assert_eq!(next.version, book.version + 1);
        assert_eq!(next.find_equal(&input("2", None)).unwrap().id, second);
        assert!(next.find(second).unwrap().is_default && !next.find(first).unwrap().is_default);
        let again = next.with(testkit::new_id(), &input("2", Some(true)));
        assert_eq!(again, Ok(next));
    }

    #[test]
    fn a_new_default_replaces_the_old_one() {
        let (first, second) = (testkit::new_id(), testkit::new_id());
        let book = AddressBook::default()
            .with(first, &input("1", Some(false)))
            .unwrap();
        assert!(book.find(first).unwrap().is_default, "the first");
        let book = book.with(second, &input("2", Some(true))).unwrap();
        assert!(book.find(second).unwrap().is_default && !book.find(first).unwrap().is_default);
        let book = book.changed(first, &input("1", Some(true))).unwrap();
        assert!(book.find(first).unwrap().is_default);
        let book = book.without(first).unwrap();
        assert!(book.find(second).unwrap().is_default);
        assert_eq!(book.without(first), Err(ChangeAddressesError::Unknown));
        assert_eq!(
            book.changed(first, &input("1", None)),
            Err(ChangeAddressesError::Unknown)
        );
    }

    proptest! {
        #[test]
        fn a_book_that_is_not_empty_has_exactly_one_default(
            changes in prop::collection::vec((0u8..3, any::<Option<bool>>(), any::<usize>()), 0..60)
        ) {
            let mut book = AddressBook::default();
            for (kind, is_default, at) in changes {
                let known = book.entries().get(at % (book.entries().len().max(1)));
                let id = known.map_or_else(testkit::new_id, |entry| entry.id);
                let input = input(&format!("{}", at % (2 * ADDRESSES_MAX)), is_default);
                let next = match kind {
                    0 => book.with(testkit::new_id(), &input),
                    1 => book.changed(id, &input),
                    _ => book.without(id),
                };
                let Ok(next) = next else { continue };
                prop_assert!(next.version == book.version + 1 || next == book);
                book = next;
                let defaults = book.entries().iter().filter(|entry| entry.is_default).count();
                prop_assert_eq!(defaults, usize::from(!book.entries().is_empty()));
                prop_assert!(book.entries().len() <= ADDRESSES_MAX);
            }
        }
    }
}
