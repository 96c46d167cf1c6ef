//! The binary: installs the TLS provider, and hands over to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::from(telltale::cli::outcome::FAILED);
    }
    telltale::cli::run::main()
}
