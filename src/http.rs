//! `/metrics`, `/livez` and `/readyz` on their own thread.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::Health;

/// The server. Dropping it ends it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Serves on the address; port 0 takes a free one.
///
/// # Errors
/// The address cannot be listened on.
pub(crate) fn serve(address: SocketAddr, metrics: PrometheusHandle, health: Health) -> std::io::Result<Server> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(address))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        runtime.block_on(async {
            let upkeep = metrics.clone();
            tokio::spawn(async move {
                let mut tick = tokio::time::interval(UPKEEP);
                loop {
                    tick.tick().await;
                    upkeep.run_upkeep();
                }
            });
            // Ends with the process's wish to end, answers under way or not: nothing here outlives a request.
            tokio::select! {
                served = axum::serve(listener, routes(metrics, health)) => {
                    if let Err(error) = served {
                        tracing::error!(%error, "the HTTP server ended");
                    }
                }
                _ = stopped => {}
            }
        });
    })?;
    Ok(Server { address, stop: Some(stop), thread: Some(thread) })
}

fn routes(metrics: PrometheusHandle, health: Health) -> Router {
    Router::new()
        .route("/metrics", get(move || async move { ([("content-type", EXPOSITION)], metrics.render()) }))
        // Alive is alive: never a look at Kafka, or an outage there would restart every instance.
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(move || async move { ready(&health) }))
}

fn ready(health: &Health) -> (StatusCode, String) {
    match health.unready() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server was printed when it happened.
            let _ = thread.join();
        }
    }
}

/// Prometheus' text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

const UPKEEP: Duration = Duration::from_secs(5);
