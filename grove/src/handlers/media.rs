//! Pictures in R2.
//!
//! Invariant: nothing longer than 5 MiB is stored, and what is served can not run as a page.

use serde::Serialize;
use worker::{Bucket, Data, HttpMetadata, Request, Response};

use crate::app::{App, ObjectClass, Operation, now_ms, random_bytes};
use crate::auth;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::fault::{self, Component};
use crate::handlers::tenants::tenant_object;
use crate::input::{MEDIA_BYTES_MAX, MediaKey, TenantName};
use crate::objects::{NewMedia, Noted};
use crate::stats::hex;
use crate::timing::{Entry, StorageOperation};

/// `POST /api/tenants/:tenant/media`
pub(super) async fn upload(
    app: &App,
    request: &mut Request,
    tenant: &TenantName,
) -> ApiResult<Response> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Uploaded<'a> {
        key: &'a str,
        bytes: u64,
        content_type: &'a str,
    }
    let (content_type, extension) =
        picture_kind(request.headers().get("Content-Type")?.as_deref())?;
    body::announced_bytes(request, MEDIA_BYTES_MAX)?;
    auth::signed_in_to(app, request, tenant).await?;
    let picture = body::read(request, MEDIA_BYTES_MAX).await?;
    if picture.is_empty() {
        return Err(ApiError::bad_request("empty_body", "the picture is empty"));
    }
    let key = format!("{}.{extension}", hex(&random_bytes::<12>()?));
    let bytes = u64::try_from(picture.len()).unwrap_or(u64::MAX);
    store(app, tenant, &key, content_type, picture).await?;
    let _: Noted = app
        .call(
            ObjectClass::Tenant,
            &tenant_object(tenant),
            Operation::post("/media", NewMedia { bytes }),
        )
        .await?;
    let response = Response::from_json(&Uploaded {
        key: &key,
        bytes,
        content_type,
    })?
    .with_status(201);
    response.headers().set(
        "Location",
        &format!("/api/tenants/{}/media/{key}", tenant.as_str()),
    )?;
    Ok(response)
}

/// `GET /api/tenants/:tenant/media/:key`
pub(super) async fn download(
    app: &App,
    tenant: &TenantName,
    key: &MediaKey,
) -> ApiResult<Response> {
    let bucket = bucket(app)?;
    let object_key = object_key(tenant, key.as_str());
    let started_ms = now_ms();
    let found = fault::slow_down(app, Component::R2, || bucket.get(&object_key).execute()).await;
    app.timings.push(Entry::Bucket {
        duration_ms: now_ms() - started_ms,
        operation: StorageOperation::Read,
        bytes: found
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map_or(0, worker::Object::size),
    });
    let object = found
        .map_err(|error| unavailable(&error))?
        .ok_or_else(|| ApiError::not_found("there is no such picture"))?;
    let body = object
        .body()
        .ok_or_else(|| ApiError::not_found("there is no such picture"))?
        .response_body()?;
    let response = Response::from_body(body)?;
    let headers = response.headers();
    let content_type = object.http_metadata().content_type;
    headers.set(
        "Content-Type",
        content_type
            .as_deref()
            .unwrap_or("application/octet-stream"),
    )?;
    headers.set("ETag", &object.http_etag())?;
    // A key is never used for another picture.
    headers.set("Cache-Control", "public, max-age=31536000, immutable")?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    headers.set("Content-Security-Policy", "default-src 'none'; sandbox")?;
    Ok(response)
}

async fn store(
    app: &App,
    tenant: &TenantName,
    key: &str,
    content_type: &str,
    picture: Vec<u8>,
) -> ApiResult<()> {
    let bucket = bucket(app)?;
    let object_key = object_key(tenant, key);
    let bytes = u64::try_from(picture.len()).unwrap_or(u64::MAX);
    let picture = std::cell::Cell::new(Some(picture));
    let started_ms = now_ms();
    let stored = fault::slow_down(app, Component::R2, || {
        bucket
            .put(
                object_key.as_str(),
                picture.take().map_or(Data::Empty, Data::Bytes),
            )
            .http_metadata(HttpMetadata {
                content_type: Some(content_type.to_owned()),
                ..HttpMetadata::default()
            })
            .execute()
    })
    .await;
    app.timings.push(Entry::Bucket {
        duration_ms: now_ms() - started_ms,
        operation: StorageOperation::Write,
        bytes,
    });
    stored.map_err(|error| unavailable(&error))?;
    Ok(())
}

fn bucket(app: &App) -> ApiResult<Bucket> {
    app.env
        .bucket("MEDIA")
        .map_err(|error| ApiError::unavailable("the bucket", "misconfigured", &error))
}

fn object_key(tenant: &TenantName, key: &str) -> String {
    format!("{}/{key}", tenant.as_str())
}

fn unavailable(error: &worker::Error) -> ApiError {
    ApiError::unavailable("the bucket", "storage_unavailable", error)
}

/// The accepted kind, and how its keys end. SVG is not among them: it can carry scripts.
fn picture_kind(content_type: Option<&str>) -> ApiResult<(&'static str, &'static str)> {
    let kind = content_type
        .and_then(|value| value.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase());
    match kind.as_deref() {
        Some("image/jpeg") => Ok(("image/jpeg", "jpg")),
        Some("image/png") => Ok(("image/png", "png")),
        Some("image/webp") => Ok(("image/webp", "webp")),
        Some("image/gif") => Ok(("image/gif", "gif")),
        Some("image/avif") => Ok(("image/avif", "avif")),
        _ => Err(ApiError::new(
            415,
            "unsupported_media_type",
            "send a picture as image/jpeg, image/png, image/webp, image/gif or image/avif",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_accepted() {
        assert_eq!(
            picture_kind(Some("Image/JPEG; q=1")),
            Ok(("image/jpeg", "jpg"))
        );
        for kind in [None, Some(""), Some("text/html"), Some("image/svg+xml")] {
            assert_eq!(picture_kind(kind).map_err(|error| error.status), Err(415));
        }
    }
}
