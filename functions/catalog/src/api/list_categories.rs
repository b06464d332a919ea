//! `GET /api/categories`: all categories, oldest first, a few seconds old at most.

use std::sync::{Arc, Mutex, PoisonError};

use dynamo::StoreError;
use kernel::{SignedDuration, Timestamp};
use runtime::{
    Environment, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, State},
};

use super::views::CategoryView;
use crate::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable"),
];

/// How long an instance shows what it has read. All categories are in one
/// partition, which gives 3,000 read units a second, and a thousand of them are
/// 300 KB, or 38 units: without this a shop would end at 80 lists a second. So an
/// instance reads them at most twelve times a minute.
const AGE_MAX: SignedDuration = SignedDuration::from_secs(5);

pub fn function() -> Function {
    Endpoint::new("list-categories", Access::Public, GRANTS)
        .get("/api/categories", list_categories)
        .start(ListCategories::start)
}

struct ListCategories {
    app: App,
    /// What was read, and when.
    recent: Mutex<Option<(Timestamp, Arc<[CategoryView]>)>>,
}

impl ListCategories {
    async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        Ok(Self {
            app: App::start(environment).await?,
            recent: Mutex::default(),
        })
    }

    async fn views(&self) -> Result<Arc<[CategoryView]>, StoreError> {
        let now = self.app.host.now();
        if let Some(views) = self.views_read_since(now) {
            return Ok(views);
        }
        let categories = self.app.catalog.categories().await?;
        let views: Arc<[CategoryView]> = categories.into_iter().map(CategoryView::from).collect();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        *recent = Some((now, views.clone()));
        Ok(views)
    }

    /// What was read recently. A clock that has gone back shows nothing.
    fn views_read_since(&self, now: Timestamp) -> Option<Arc<[CategoryView]>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, views) = recent.as_ref()?;
        let age = now.duration_since(*read_at);
        (!age.is_negative() && age < AGE_MAX).then(|| views.clone())
    }
}

/// Not paginated: their number is limited to what fits into one reply.
async fn list_categories(State(state): State<Arc<ListCategories>>) -> Result<Reply, ApiError> {
    let views = state.views().await?;
    Ok(Reply::ok("categories", &views).cacheable())
}
