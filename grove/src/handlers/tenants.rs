//! `/api/tenants`: which tenants there are, and what each is like.

use serde::Serialize;
use worker::Response;

use crate::app::{App, ObjectClass, Operation};
use crate::error::ApiResult;
use crate::input::TenantName;
use crate::objects::{Seed, TenantState};
use crate::store::Store;

/// The object that holds a tenant.
pub(super) fn tenant_object(tenant: &TenantName) -> String {
    format!("tenant:{}", tenant.as_str())
}

/// `GET /api/tenants`
pub(super) async fn list(app: &App) -> ApiResult<Response> {
    #[derive(Serialize)]
    struct Tenants {
        tenants: Vec<String>,
    }
    let tenants = Store::open(app)?.tenants().await?;
    Ok(Response::from_json(&Tenants { tenants })?)
}

/// `GET /api/tenants/:tenant`
pub(super) async fn show(app: &App, tenant: &TenantName) -> ApiResult<Response> {
    #[derive(Serialize)]
    struct Shown<'a> {
        name: &'a str,
        config: Config,
        counters: &'a TenantState,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        posts_per_page: u32,
        media_bytes_max: usize,
    }
    let mut state = state(app, tenant).await?;
    if !state.seeded {
        seed(app, tenant).await?;
        state = self::state(app, tenant).await?;
    }
    Ok(Response::from_json(&Shown {
        name: tenant.as_str(),
        config: Config {
            posts_per_page: 20,
            media_bytes_max: crate::input::MEDIA_BYTES_MAX,
        },
        counters: &state,
    })?)
}

/// The tenant's settings and counters.
pub(super) async fn state(app: &App, tenant: &TenantName) -> ApiResult<TenantState> {
    app.call(
        ObjectClass::Tenant,
        &tenant_object(tenant),
        Operation::get("/"),
    )
    .await
}

/// Gives the tenant its first posts. Harmless when it is done twice, also at the same time.
pub(super) async fn seed(app: &App, tenant: &TenantName) -> ApiResult<()> {
    let seed = Seed {
        posts: Store::open(app)?.seed(tenant).await?,
    };
    let _: TenantState = app
        .call(
            ObjectClass::Tenant,
            &tenant_object(tenant),
            Operation::post("/seed", seed),
        )
        .await?;
    Ok(())
}
