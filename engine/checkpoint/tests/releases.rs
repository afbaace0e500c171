//! Folders that released builds have left: they are found by whose they are, carried over, and closed to those builds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use millrace_checkpoint::matching::{Flow, Table, Word, match_up};
use millrace_checkpoint::protocol::{NamedGroup, recover};
use millrace_checkpoint::rescale::{Plan, Wanted, plan};
use millrace_checkpoint::{
    Generation, Identity, Manifest, MemoryStore, PipelineRecord, Redirected, Store,
    generation_in_force, manifest_path, survey_pipeline,
};
use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{ConnectorError, Epoch, LaneId, Place, SplitId};
use serde_json::Value;

/// Returns what a released build has left.
fn release(name: &str) -> MemoryStore {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/releases")
        .join(name);
    let store = MemoryStore::default();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            store.put_if_absent(name, bytes).wait().unwrap();
        }
    }
    store
}

/// A transactional sink with the mark that the released build has left.
struct Marked(Option<Mark>);

impl SinkGroup for Marked {
    fn role(&self) -> CommitRole {
        CommitRole::Decides
    }
    fn fence(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        Ok(self.0.clone())
    }
    fn writer(&mut self, _: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        unreachable!("nothing is written")
    }
    fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
        Ok(())
    }
    fn prepare(&mut self, _: Epoch) -> Result<Committable, ConnectorError> {
        Ok(Committable::default())
    }
    fn commit(
        &mut self,
        _: Epoch,
        _: &Committable,
        mark: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        self.0 = Some(mark.clone());
        Ok(CommitOutcome::Committed)
    }
    fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
        Ok(())
    }
}

fn identity(pipeline: &str, dataflow: &str) -> Identity {
    Identity {
        pipeline: pipeline.into(),
        dataflow: dataflow.into(),
        generation: 0,
        slot: 0,
        slots: 1,
    }
}

/// What a build of that time says of a file: it refuses formats that it does not know.
fn format_of(store: &dyn Store, path: &str) -> u64 {
    let bytes = store.get(path).unwrap().unwrap();
    let envelope: Value = serde_json::from_slice(&bytes).unwrap();
    envelope["format"].as_u64().unwrap()
}

#[test]
fn a_folder_of_the_lossy_spelling_is_carried_over_and_closed() {
    let store = release("0.1.0");
    let found = survey_pipeline(&store, "订单").unwrap();
    assert_eq!(found.len(), 1);
    let found = &found[0];
    assert_eq!(
        (found.folder.as_str(), found.is_in_place()),
        ("__/snk", false)
    );
    // Its own name is not enough for another pipeline of the same folder.
    assert!(
        survey_pipeline(&store, "日志")
            .unwrap()
            .iter()
            .all(|found| found.pipeline != "日志")
    );

    let old = Redirected::new(&store, &found.folder, found.own_folder());
    let (_, digest) = Manifest::open(
        &old.get(&manifest_path(&identity("订单", "snk"), Epoch(1)))
            .unwrap()
            .unwrap(),
    )
    .unwrap();
    let mark = Mark {
        epoch: Epoch(1),
        generation: 1,
        slot: 0,
        digest,
    };
    let mut groups = vec![NamedGroup {
        key: "kafka".into(),
        group: Box::new(Marked(Some(mark))),
    }];
    let Plan::Change(mut end) = plan(&old, "订单", "snk", Wanted::default()).unwrap() else {
        panic!("it runs");
    };
    end.close(&old, 0, &mut groups, None, 0).unwrap();
    let ended = end.finish(&old).unwrap();
    assert!(ended.has_ended());
    let offset = |partition: u32| {
        let split = SplitId(format!("fix_in-{partition}"));
        ended.positions["src"][&split].0.as_u64().unwrap()
    };
    assert_eq!(offset(0) + offset(1), 100);
    // A build of that time reads neither.
    assert_eq!(format_of(&store, "__/snk/slot-0/chk-2/manifest.json"), 3);
    assert_eq!(format_of(&store, "__/snk/generations/2.json"), 2);

    let next = Generation {
        generation: ended.generation + 1,
        slots: 1,
        ..ended.clone()
    };
    next.put(&store).unwrap();
    let mut entered = identity("订单", "snk");
    let recovered = recover(&store, &mut entered, &mut groups).unwrap();
    assert_eq!(recovered.positions, ended.positions);
    assert_eq!((entered.generation, recovered.next_epoch), (3, Epoch(3)));
}

#[test]
fn a_plain_folder_stays_and_is_matched_by_topics_and_names() {
    let store = release("0.1.0");
    let found = survey_pipeline(&store, "generated").unwrap();
    assert!(found[0].is_in_place());
    let recovered = recover(&store, &mut identity("generated", "shown"), &mut []).unwrap();
    assert!(recovered.is_settled && !recovered.positions["gen"].is_empty());
    // It gets no record of its own before somebody runs it.
    assert_eq!(
        generation_in_force(&store, "generated", "shown")
            .unwrap()
            .unwrap()
            .slots,
        1
    );

    let lossy = survey_pipeline(&store, "订单").unwrap();
    let mut record = PipelineRecord::default();
    record.dataflows.insert("snk".into(), lossy[0].assumed());
    let place = Place {
        system: "kafka".into(),
        address: "k:9092".into(),
        objects: vec!["fix_in".into()],
        is_pattern: false,
    };
    let flow = Flow {
        name: "ziel".into(),
        sources: vec![Table {
            name: "quelle".into(),
            place: Some(place),
            feeds: [0].into(),
        }],
        sinks: vec![Table {
            name: "ziel".into(),
            ..Table::default()
        }],
    };
    let matching = match_up(&record, &[flow], &Word::default());
    let (known, _) = matching.sources[0][0].as_ref().unwrap();
    assert_eq!(
        (known.dataflow.as_str(), known.key.as_str()),
        ("snk", "src")
    );
}
