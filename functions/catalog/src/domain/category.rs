//! Categories: a tree.

use jiff::Timestamp;
use kernel::{
    CategoryId,
    input::{FromInput, FieldErrors, Value},
};
use serde::{Deserialize, Serialize};

/// Categories of a shop: they are listed all at once, and this many are about
/// 300 KB, which one or two reads bring.
pub const CATEGORIES_MAX: u32 = 1_000;
/// Levels of the tree. A product is listed in each category above it, so depth
/// costs writes.
pub const CATEGORY_DEPTH_MAX: usize = 5;
/// Characters of a name.
const NAME_LENGTH_MAX: usize = 100;
/// Characters of a description.
const DESCRIPTION_LENGTH_MAX: usize = 1_000;

/// A category as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCategory {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub description: Option<String>,
    /// The category it is to be in.
    pub parent_id: Option<CategoryId>,
}

impl FromInput for NewCategory {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let name = fields.required_with("name", |v| v.trimmed(1..=NAME_LENGTH_MAX));
        let description =
            fields.optional_with("description", |v| v.trimmed(0..=DESCRIPTION_LENGTH_MAX));
        let parent_id = fields.optional("parentId");
        fields.finish(|| {
            Some(Self {
                name: name?,
                description,
                parent_id,
            })
        })
    }
}

/// A category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// Its name, unique among those in the same category.
    pub name: String,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The category it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CategoryId>,
    /// All categories it is in, from the root on. They never change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<CategoryId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A category would be below the last level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree of categories has at most {CATEGORY_DEPTH_MAX} levels")]
pub struct CategoryTooDeep;

impl Category {
    /// A new category in `parent`.
    ///
    /// # Errors
    /// [`CategoryTooDeep`].
    pub fn create(
        id: CategoryId,
        input: NewCategory,
        parent: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, CategoryTooDeep> {
        let ancestors = parent.map(Self::path).unwrap_or_default();
        if ancestors.len() >= CATEGORY_DEPTH_MAX {
            return Err(CategoryTooDeep);
        }
        Ok(Self {
            id,
            name: input.name,
            description: input.description,
            parent_id: parent.map(|parent| parent.id),
            ancestors,
            created_at: now,
        })
    }

    /// The way to it from the root, itself last.
    pub fn path(&self) -> Vec<CategoryId> {
        let mut path = self.ancestors.clone();
        path.push(self.id);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_knows_its_ancestors_and_the_tree_ends() {
        let input = |parent: Option<&Category>| NewCategory {
            name: "x".into(),
            description: None,
            parent_id: parent.map(|parent| parent.id),
        };
        let (now, mut path) = (Timestamp::UNIX_EPOCH, Vec::new());
        let mut parent: Option<Category> = None;
        for _ in 0..CATEGORY_DEPTH_MAX {
            let id = testkit::new_id::<CategoryId>();
            let made = Category::create(id, input(parent.as_ref()), parent.as_ref(), now).unwrap();
            assert_eq!(made.ancestors, path);
            assert_eq!(made.parent_id, path.last().copied());
            path.push(id);
            assert_eq!(made.path(), path);
            parent = Some(made);
        }
        let below = Category::create(
            testkit::new_id::<CategoryId>(),
            input(parent.as_ref()),
            parent.as_ref(),
            now,
        );
        assert_eq!(below, Err(CategoryTooDeep));
    }
}
