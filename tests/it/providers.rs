//! Who answered, through the whole chain.

use mta_exporter::attempt::Outcome;
use mta_exporter::ledger::Ledger;
use mta_exporter::pipeline::{Pipeline, Stream, Unobserved};
use mta_exporter::provider::{Builtin, Providers};
use mta_exporter::reason::Classifier;

const DELIVERY: &[u8] = b"Nov 21 10:00:00 mx postfix/smtp[1]: 3AbCdEf: to=<ann@example.com>, \
relay=mx00.gmx.net[192.0.2.20]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n";

#[test]
fn after_a_reload_nothing_is_remembered_of_the_old_table() {
    let own = "[[provider]]\nid = \"ours\"\nmx = [\".gmx.net\"]\n";
    let providers = Providers::builtin();
    let mut ledger = Ledger::new(&providers, 10_000);
    let source = ledger.source("test");
    let classifier = Classifier::builtin(&providers);
    let mut pipeline = Pipeline::new(providers, classifier);
    let mut stream = Stream::new(source, None);
    pipeline.feed(&mut stream, &mut ledger, DELIVERY, &mut Unobserved);

    let providers = Providers::load(&[("own.toml", own)], Builtin::Extended, None).unwrap();
    ledger.adopt(&providers);
    let classifier = Classifier::builtin(&providers);
    pipeline.adopt(providers, classifier);
    pipeline.feed(&mut stream, &mut ledger, DELIVERY, &mut Unobserved);

    let delivered =
        |name: &str| ledger.deliveries(pipeline.providers().id(name).unwrap(), Outcome::Delivered);
    assert_eq!((delivered("gmx"), delivered("ours")), (1, 1));
}
