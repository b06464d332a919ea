//! The tree of categories.

use jiff::Timestamp;
use kernel::{
    CategoryId,
    input::{FieldErrors, FromInput, Value},
};
use serde::{Deserialize, Serialize};

/// Categories are listed all at once: this many are about 300 KB, which one or
/// two calls read.
pub const CATEGORIES_MAX: u32 = 1_000;
/// Levels of the tree. A product has an entry in the list of each category above
/// it, so depth costs writes.
pub const CATEGORY_DEPTH_MAX: usize = 5;
const NAME_LENGTH_MAX: usize = 100;
const DESCRIPTION_LENGTH_MAX: usize = 1_000;

/// A category as a client requests it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCategory {
    pub name: String,
    pub description: Option<String>,
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    pub id: CategoryId,
    /// Unique within the parent, compared after [`super::fold`].
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CategoryId>,
    /// From the root to the parent; never change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<CategoryId>,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the category tree has at most {CATEGORY_DEPTH_MAX} levels")]
pub struct CategoryTooDeep;

impl Category {
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

    /// From the root to the category itself.
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
    fn a_category_has_its_ancestors_and_the_depth_is_limited() {
        let input = |parent: Option<&Category>| NewCategory {
            name: "x".into(),
            description: None,
            parent_id: parent.map(|parent| parent.id),
        };
        let (now, mut path) = (Timestamp::UNIX_EPOCH, Vec::new());
        let mut parent: Option<Category> = None;
        for _ in 0..CATEGORY_DEPTH_MAX {
            let id = testkit::new_id();
            let created =
                Category::create(id, input(parent.as_ref()), parent.as_ref(), now).unwrap();
            assert_eq!(created.ancestors, path);
            assert_eq!(created.parent_id, path.last().copied());
            path.push(id);
            assert_eq!(created.path(), path);
            parent = Some(created);
        }
        let id = testkit::new_id();
        let too_deep = Category::create(id, input(parent.as_ref()), parent.as_ref(), now);
        assert_eq!(too_deep, Err(CategoryTooDeep));
    }
}
