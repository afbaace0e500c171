//! Serves an in-memory broker until its standard input ends: `serve 127.0.0.1:9092`.

use std::io::Read;

use millrace_dev_kafka::{EmbeddedBroker, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    if let Some(listen) = std::env::args().nth(1) {
        options.listen = listen.parse()?;
    }
    let broker = EmbeddedBroker::start(options)?;
    eprintln!("bootstrap.servers = {}", broker.address());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    broker.shutdown();
    Ok(())
}
