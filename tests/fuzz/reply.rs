//! Feeds arbitrary reply texts to the classifier. The second time the answer comes from its
//! memory, and must be the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_exporter::attempt::Phase;
use mta_exporter::provider::Providers;
use mta_exporter::reason::{Classifier, Refusal};
use mta_exporter::smtp::Reply;

fuzz_target!(|bytes: &[u8]| {
    thread_local! {
        static TABLES: std::cell::RefCell<(Providers, Classifier)> = {
            let providers = Providers::builtin();
            let classifier = Classifier::builtin(&providers);
            (providers, classifier).into()
        };
    }
    TABLES.with_borrow_mut(|(providers, classifier)| {
        let Some((&choice, text)) = bytes.split_first() else { return };
        let names = providers.names();
        let choice = usize::from(choice);
        let reply = Reply::parse(text);
        let refusal = Refusal {
            provider: providers.id(&names[choice % names.len()]).unwrap(),
            inbound: choice % 7 == 0,
            code: reply.map(|reply| reply.code),
            enhanced: reply.and_then(|reply| reply.enhanced),
            cause: None,
            phase: Phase::ALL.get(choice % (Phase::ALL.len() + 1)).copied(),
            text,
        };
        let first = classifier.classify(&refusal);
        assert_eq!(classifier.classify(&refusal), first);
    });
});
