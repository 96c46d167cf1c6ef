//! Every route, once.

use crate::{
    api::{
        access, canaries, case, deliveries, drill, evidence, gates, idempotency, inbound, incidents, index, ingest,
        journal, material, openapi::Description, problem, reports, stores, system, tokens,
    },
    flow::context::Context,
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// A line of login events may be long, a batch longer; material has no limit, it is streamed.
const BODY: usize = 64 * 1024 * 1024;

/// The whole API.
pub fn api(context: Arc<Context>, metrics: Option<PrometheusHandle>) -> Router {
    let (known, mut description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(stores::profile))
        .routes(routes!(stores::make_plan))
        .routes(routes!(stores::do_plant))
        .routes(routes!(stores::do_verify))
        .routes(routes!(stores::do_rotate))
        .routes(routes!(stores::do_revise))
        .routes(routes!(stores::do_withdraw))
        .routes(routes!(canaries::list))
        .routes(routes!(canaries::sigma))
        .routes(routes!(canaries::export_aliases))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::show))
        .routes(routes!(incidents::sightings))
        .routes(routes!(evidence::show))
        .routes(routes!(incidents::acknowledge))
        .routes(routes!(incidents::close))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::replay))
        .routes(routes!(case::report))
        .routes(routes!(case::export))
        .routes(routes!(case::erase))
        .routes(routes!(ingest::post_logins, ingest::verify_logins))
        .routes(routes!(reports::post_reports))
        .routes(routes!(material::begin))
        .routes(routes!(index::build))
        .routes(routes!(gates::build))
        .routes(routes!(material::show))
        .routes(routes!(material::conclude))
        .routes(routes!(journal::list))
        .routes(routes!(journal::check))
        .routes(routes!(journal::back_up))
        .routes(routes!(journal::rotate_keys))
        .routes(routes!(system::do_check))
        .routes(routes!(drill::rehearsal))
        .routes(routes!(drill::simulation))
        .routes(routes!(system::test_sinks))
        .layer(middleware::from_fn(idempotency::once))
        .layer(DefaultBodyLimit::max(BODY))
        .split_for_parts();
    let (streamed, more) = OpenApiRouter::new()
        .routes(routes!(material::add))
        .routes(routes!(material::take))
        .routes(routes!(material::scan))
        .layer(DefaultBodyLimit::disable())
        .split_for_parts();
    let (open, rest) =
        OpenApiRouter::new().routes(routes!(system::healthz)).routes(routes!(system::readyz)).split_for_parts();
    let (provided, and_more) = providers(&context);
    description.merge(more);
    description.merge(and_more);
    description.merge(rest);
    let exposed = metrics.map(|metrics| Arc::new(system::Exposed { metrics, looked: tokio::sync::Mutex::default() }));
    known
        .merge(streamed)
        .route_layer(middleware::from_fn_with_state(context.clone(), access::identify))
        .layer(middleware::from_fn(problem::shaped))
        .merge(provided)
        .merge(open)
        .route("/api/openapi.json", get(|| async move { Json(description) }))
        .route("/metrics", get(move |State(context)| system::metrics(context, exposed)))
        .fallback(problem::no_such_path)
        .with_state(context)
}

/// Only what senders outside may post: `api.ingest_listen`.
pub fn ingest(context: Arc<Context>) -> Router {
    let (router, _) = OpenApiRouter::<Arc<Context>>::new()
        .routes(routes!(ingest::post_logins, ingest::verify_logins))
        .routes(routes!(reports::post_reports))
        .split_for_parts();
    router
        .layer(middleware::from_fn(idempotency::once))
        .layer(DefaultBodyLimit::max(BODY))
        .route_layer(middleware::from_fn_with_state(context.clone(), access::identify))
        .layer(middleware::from_fn(problem::shaped))
        .merge(providers(&context).0)
        .fallback(problem::no_such_path)
        .with_state(context)
}

/// Where providers post, who have no token of ours.
fn providers(context: &Arc<Context>) -> (Router<Arc<Context>>, utoipa::openapi::OpenApi) {
    let (router, description) = OpenApiRouter::<Arc<Context>>::new()
        .routes(routes!(inbound::post_mail))
        .routes(routes!(inbound::post_sms, inbound::get_sms))
        .split_for_parts();
    let router = router
        .layer(middleware::from_fn(idempotency::once))
        .layer(DefaultBodyLimit::disable())
        .route_layer(middleware::from_fn_with_state(context.clone(), access::perhaps))
        .layer(middleware::from_fn(problem::shaped));
    (router, description)
}
