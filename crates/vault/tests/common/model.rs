//! A vault against the model in memory: the same operations have the same answers.

use super::{bytes, name, new_set, read};
use anchorlog_testkit::random::Random;
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::{NewSet, SetId, Vault};

/// What anyone can learn of a vault, with the sets numbered in their order.
fn told(vault: &dyn Vault) -> Vec<String> {
    let mut told = Vec::new();
    for (number, set) in vault.sets().unwrap().into_iter().enumerate() {
        let set = set.unwrap();
        let NewSet { time, host, tags, source, label, needs, copy_of: _ } = &set.made;
        told.push(format!("{number}: {time} {host} {tags:?} {source} {label} {}", needs.len()));
        told.push(String::from_utf8(vault.manifest(&set.id).unwrap()).unwrap());
        let attachments = vault.attachments(&set.id).unwrap();
        told.extend(attachments.iter().map(|attachment| format!("{} {:?}", attachment.name, attachment.bytes)));
    }
    told
}

pub fn ids(vault: &dyn Vault) -> Vec<SetId> {
    vault.sets().unwrap().into_iter().map(|set| set.unwrap().id).collect()
}

/// Operations by seeds: a vault with segments of 1 MiB, in which nothing is yet, against the model.
pub fn has_the_same_answers_as_in_memory(vault: &dyn Vault) {
    let vaults: [&dyn Vault; 2] = [&MemoryVault::new(), vault];
    let names = ["a", "a/b", "db/mail.edb", "db", "logs/E0000001.log", "x\"y", "manifest.json", "streams/a"];
    for seed in 0..12 {
        let answers = vaults.map(|vault| {
            let mut random = Random::new(seed);
            let mut answers = Vec::new();
            match random.below(4) {
                0 | 1 => {
                    let needs = ids(vault).first().cloned().filter(|_| seed == 7).into_iter().collect();
                    let made = NewSet {
                        tags: vec!["full".into()],
                        label: format!("set {seed}"),
                        needs,
                        ..new_set(1000 + seed.cast_signed())
                    };
                    let mut writer = vault.begin_set(made).unwrap();
                    for _ in 0..3 {
                        let stream = names[random.below(names.len())];
                        let size = [0, 1, 1 << 16, 70_000, 1 << 20, (1 << 21) + 5, 3 << 20][random.below(7)];
                        let stored = writer.stream(&name(stream), &mut &bytes(random.next() % 3, size)[..]);
                        answers.push(
                            stored
                                .map(|receipt| format!("{} {:?}", receipt.bytes, receipt.blake3))
                                .map_err(|error| error.to_string()),
                        );
                    }
                    answers.push(
                        writer
                            .publish(format!("{{\"seed\":{seed}}}").as_bytes())
                            .map(|_| "published".into())
                            .map_err(|error| error.to_string()),
                    );
                }
                2 => {
                    for set in ids(vault).iter().take(1) {
                        vault.attach(set, &name("proofs/drill.json"), &seed.to_le_bytes()).unwrap();
                    }
                }
                _ => {
                    for set in ids(vault).iter().skip(1).take(1) {
                        answers.push(
                            vault
                                .forget(std::slice::from_ref(set))
                                .map(|()| "forgotten".into())
                                .map_err(|error| error.to_string()),
                        );
                    }
                }
            }
            for set in ids(vault) {
                for stream in names {
                    answers.push(
                        read(vault, &set, stream)
                            .map(|bytes| format!("{stream}: {} bytes", bytes.len()))
                            .map_err(|_| stream.into()),
                    );
                }
            }
            (answers, told(vault))
        });
        assert_eq!(answers[0], answers[1], "seed {seed}");
    }
    assert!(ids(vaults[1]).len() > 1);
}
