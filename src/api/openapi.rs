//! The description of the API, as OpenAPI 3.1, gathered from the routes themselves.

use utoipa::{
    OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "Telltale", description = "Plant canaries in HR stores, and learn which store leaked.", license(name = "Apache-2.0")),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
pub struct Description;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        openapi.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}
