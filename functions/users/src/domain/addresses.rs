//! A person's address book.

use kernel::{
    Address, AddressId,
    input::{FromInput, FieldErrors, Value},
};
use serde::{Deserialize, Serialize};

/// Addresses in a book: a bound on what one person keeps here, and on the one
/// item that it is.
pub const ADDRESSES_MAX: usize = 20;

/// A person's addresses, in the order in which they were added. Whenever there
/// is any, exactly one is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    entries: Vec<Entry>,
    /// Raised by every change, so that none is lost.
    pub version: u32,
}

/// One address of a book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which.
    pub id: AddressId,
    /// The address.
    #[serde(flatten)]
    pub address: Address,
    /// Whether it is the one that is used when no other is asked for.
    pub is_default: bool,
}

/// Why a book does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeAddressesError {
    /// It has no such address.
    #[error("there is no such address")]
    Unknown,
    /// It is full.
    #[error("there are {ADDRESSES_MAX} addresses already")]
    Full,
}

/// An address as a person gives it.
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
    /// The addresses.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The address of that id.
    pub fn find(&self, id: AddressId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// The address that is equal to the one given, when there is one.
    pub fn like(&self, input: &AddressInput) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.address == input.address)
    }

    /// The book with one more address; the first is the default. An equal one
    /// that is there already is not added again, so whoever got no reply can
    /// add it once more; it becomes the default when that is asked for.
    ///
    /// # Errors
    /// When it is full.
    pub fn with(&self, id: AddressId, input: &AddressInput) -> Result<Self, ChangeAddressesError> {
        let wants_default = input.is_default.unwrap_or(false);
        if let Some(there) = self.like(input) {
            let stays = there.is_default || !wants_default;
            return Ok(if stays {
                self.clone()
            } else {
                self.settled(self.entries.clone(), Some(there.id))
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
        Ok(self.settled(entries, wants_default.then_some(id)))
    }

    /// The book with another address in the place of one. Which one is the
    /// default changes by naming another, so `isDefault:false` leaves it.
    ///
    /// # Errors
    /// When there is no such address.
    pub fn changed(
        &self,
        id: AddressId,
        input: &AddressInput,
    ) -> Result<Self, ChangeAddressesError> {
        let mut entries = self.entries.clone();
        let entry = entries.iter_mut().find(|entry| entry.id == id);
        let entry = entry.ok_or(ChangeAddressesError::Unknown)?;
        entry.address = input.address.clone();
        Ok(self.settled(entries, input.is_default.unwrap_or(false).then_some(id)))
    }

    /// The book without an address.
    ///
    /// # Errors
    /// When there is no such address.
    pub fn without(&self, id: AddressId) -> Result<Self, ChangeAddressesError> {
        self.find(id).ok_or(ChangeAddressesError::Unknown)?;
        let mut entries = self.entries.clone();
        entries.retain(|entry| entry.id != id);
        Ok(self.settled(entries, None))
    }

    /// The next version of the book, with exactly one default: the one that is
    /// wanted, or the one that was, or the oldest.
    fn settled(&self, mut entries: Vec<Entry>, wanted: Option<AddressId>) -> Self {
        let was = || entries.iter().find(|entry| entry.is_default);
        let default = wanted
            .or_else(|| was().map(|entry| entry.id))
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
    fn a_full_book_takes_no_more() {
        let mut book = AddressBook::default();
        for n in 0..ADDRESSES_MAX {
            let input = input(&format!("{n} Lamp Street"), None);
            book = book.with(testkit::new_id::<AddressId>(), &input).unwrap();
        }
        let full = book.with(testkit::new_id::<AddressId>(), &input("another", None));
        assert_eq!(full, Err(ChangeAddressesError::Full));
        // An address that is there already, as after a lost reply, is no more.
        let again = input("3 Lamp Street", None);
        assert_eq!(book.with(testkit::new_id::<AddressId>(), &again), Ok(book.clone()));
    }

    #[test]
    fn an_equal_address_is_there_once_and_can_become_the_default() {
        let (one, two) = (testkit::new_id::<AddressId>(), testkit::new_id::<AddressId>());
        let book = AddressBook::default().with(one, &input("1", None)).unwrap();
        let book = book.with(two, &input("2", None)).unwrap();
        for is_default in [None, Some(false)] {
            let again = book.with(testkit::new_id::<AddressId>(), &input("2", is_default));
            assert_eq!(again, Ok(book.clone()));
        }
        let next = book.with(testkit::new_id::<AddressId>(), &input("2", Some(true)));
        let next = next.unwrap();
        assert_eq!(next.version, book.version + 1);
        assert_eq!(next.like(&input("2", None)).unwrap().id, two);
        assert!(next.find(two).unwrap().is_default && !next.find(one).unwrap().is_default);
        let again = next.with(testkit::new_id::<AddressId>(), &input("2", Some(true)));
        assert_eq!(again, Ok(next));
    }

    #[test]
    fn a_new_default_takes_the_place_of_the_old() {
        let (one, two) = (testkit::new_id::<AddressId>(), testkit::new_id::<AddressId>());
        let book = AddressBook::default()
            .with(one, &input("1", Some(false)))
            .unwrap();
        assert!(book.find(one).unwrap().is_default, "the first");
        let book = book.with(two, &input("2", Some(true))).unwrap();
        assert!(book.find(two).unwrap().is_default && !book.find(one).unwrap().is_default);
        let book = book.changed(one, &input("1", Some(true))).unwrap();
        assert!(book.find(one).unwrap().is_default);
        let book = book.without(one).unwrap();
        assert!(book.find(two).unwrap().is_default);
        assert_eq!(book.without(one), Err(ChangeAddressesError::Unknown));
        assert_eq!(
            book.changed(one, &input("1", None)),
            Err(ChangeAddressesError::Unknown)
        );
    }

    proptest! {
        #[test]
        fn there_is_always_exactly_one_default(
            steps in prop::collection::vec((0u8..3, any::<Option<bool>>(), any::<usize>()), 0..60)
        ) {
            let mut book = AddressBook::default();
            for (step, is_default, at) in steps {
                let known = book.entries().get(at % (book.entries().len().max(1)));
                let id = known.map_or_else(AddressId::generate, |entry| entry.id);
                let input = input(&format!("{}", at % (2 * ADDRESSES_MAX)), is_default);
                let next = match step {
                    0 => book.with(testkit::new_id::<AddressId>(), &input),
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
