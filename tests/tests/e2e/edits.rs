//! The file is edited between two runs: every row arrives once all the same, or the run stops and says a way out that works.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::broker::{Broker, Feeder, RowWriter};
use crate::delivery::Delivered;
use crate::doris::Doris;
use crate::pipeline::{Flow, Pipeline, Running};
use crate::reader::{Isolation, Reader};

const PARTITIONS: usize = 2;
const LIMIT: Duration = Duration::from_secs(90);

/// How the first run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Terminated,
    Killed,
}

/// What has happened before the edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    OneEpoch,
    ManyEpochs,
    Rescaled,
}

/// A pipeline from one topic to another whose file changes.
struct Scene {
    broker: Broker,
    source: String,
    sink: String,
    sql: String,
    pipeline: Pipeline,
    writer: RowWriter,
    rows: u64,
}

impl Scene {
    fn new(hint: &str) -> Result<Self> {
        let broker = Broker::shared();
        let source = broker.topic(&format!("{hint}-in"), i32::try_from(PARTITIONS)?)?;
        let sink = broker.topic(&format!("{hint}-out"), 2)?;
        let sql = Flow::new(&broker.address, &source, &sink).sql();
        let pipeline = Pipeline::new(hint, &sql)?.set("execution.checkpointing.interval", "200ms");
        let writer = RowWriter::new(&broker, &source, PARTITIONS)?;
        Ok(Self {
            broker,
            source,
            sink,
            sql,
            pipeline,
            writer,
            rows: 0,
        })
    }

    fn write(&mut self, rows: u64) -> Result<()> {
        self.writer.write(rows)?;
        self.rows += rows;
        self.writer.finish().map(drop)
    }

    /// Waits until everything that was written is in the output.
    fn wait(&self, running: &mut Running) -> Result<()> {
        let rows = usize::try_from(self.rows)?;
        Reader::open(&self.broker, &self.sink, Isolation::Committed)?
            .wait_for(rows, LIMIT, running)?;
        Ok(())
    }

    /// Runs what is to have happened.
    fn live(&mut self, past: Past, end: End) -> Result<()> {
        let mut running = self.pipeline.start()?;
        running.wait_until_ready(LIMIT)?;
        for _ in 0..if past == Past::OneEpoch { 1 } else { 4 } {
            self.write(300)?;
            self.wait(&mut running)?;
        }
        finish(running, end)?;
        if past == Past::Rescaled {
            for slots in [2, 1] {
                self.pipeline.rescale(slots)?.ends_with(0, LIMIT)?;
            }
            let mut running = self.pipeline.start()?;
            self.write(300)?;
            self.wait(&mut running)?;
            finish(running, end)?;
        }
        Ok(())
    }

    /// Starts with the file as it is now, and checks that every row has arrived once.
    fn goes_on(&mut self, arguments: &[&str], end: End) -> Result<()> {
        self.write(100)?;
        let mut running = self.pipeline.start_with(arguments)?;
        self.wait(&mut running)?;
        running.says(&["goes on from its checkpoint"])?;
        finish(running, end)?;
        let written = self.writer.finish()?;
        Delivered::read(&self.broker, &self.sink, &self.source)?.ensure_exactly_once(&written)
    }

    /// Starts with the file as it is now, which is refused with these words.
    fn stops(&self, code: i32, words: &[&str]) -> Result<()> {
        let mut running = self.pipeline.start()?;
        running.ends_with(code, LIMIT)?;
        running.says(words)
    }
}

fn finish(mut running: Running, end: End) -> Result<()> {
    match end {
        End::Terminated => running.ends_on_sigterm(),
        End::Killed => running.kill(),
    }
}

/// Runs an edit in all the ways, twice: the second start finds what the first one left.
fn survives(hint: &str, edit: impl Fn(&Scene) -> Result<String>) -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    for (past, end) in [
        (Past::OneEpoch, End::Terminated),
        (Past::OneEpoch, End::Killed),
        (Past::ManyEpochs, End::Killed),
        (Past::Rescaled, End::Killed),
    ] {
        let mut scene = Scene::new(hint)?;
        scene.live(past, end)?;
        let edited = edit(&scene)?;
        ensure!(edited != scene.sql, "nothing was edited");
        scene.pipeline.rewrite(&edited)?;
        for _ in 0..2 {
            let gone_on = scene.goes_on(&[], end);
            gone_on.map_err(|error| error.context(format!("{hint}, {past:?}, {end:?}")))?;
        }
    }
    Ok(())
}

#[test]
fn tables_get_other_names() -> Result<()> {
    survives("edit-names", |scene| {
        Ok(scene
            .sql
            .replace("numbered", "quelle")
            .replace("checked", "ziel"))
    })
}

#[test]
fn an_insert_comes_in_front() -> Result<()> {
    survives("edit-front", |scene| {
        let other = scene.broker.topic("a-first", 1)?;
        let table = scene
            .sql
            .split("CREATE TABLE checked")
            .nth(1)
            .unwrap_or_default();
        let table = table.split(';').next().unwrap_or_default();
        let table = table.replace(
            &format!("'topic' = '{}'", scene.sink),
            &format!("'topic' = '{other}'"),
        );
        let insert = "INSERT INTO checked\n";
        let first = format!(
            "CREATE TABLE front{table};\nINSERT INTO front SELECT id, UPPER(`name`), amount, src_topic, src_partition, src_offset FROM numbered;\n{insert}"
        );
        Ok(scene.sql.replace(insert, &first))
    })
}

#[test]
fn transactional_ids_get_another_prefix() -> Result<()> {
    survives("edit-prefix", |scene| {
        let prefix = |text: &str| format!("'sink.transactional-id-prefix' = '{text}'");
        Ok(scene
            .sql
            .replace(&prefix(&scene.sink), &prefix(&format!("x-{}", scene.sink))))
    })
}

#[test]
fn addresses_are_spelled_otherwise() -> Result<()> {
    survives("edit-addresses", |scene| {
        let address = &scene.broker.address;
        Ok(scene
            .sql
            .replace(address.as_str(), &format!("{address},{address}")))
    })
}

/// A kill of an at-least-once process may double rows by right, so those end in peace.
#[test]
fn the_guarantee_changes() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    for (past, end) in [
        (Past::OneEpoch, End::Terminated),
        (Past::OneEpoch, End::Killed),
        (Past::ManyEpochs, End::Killed),
        (Past::Rescaled, End::Killed),
    ] {
        let mut scene = Scene::new("edit-guarantee")?;
        scene.live(past, end)?;
        let exactly = scene.sql.clone();
        scene
            .pipeline
            .rewrite(&exactly.replace("'exactly-once'", "'at-least-once'"))?;
        scene.goes_on(&[], End::Terminated)?;
        scene.pipeline.rewrite(&exactly)?;
        scene.goes_on(&[], end)?;
        scene.goes_on(&[], end)?;
    }
    Ok(())
}

/// A sink's topic is its place: the run stops, and goes on where it is told to, at the same positions.
#[test]
fn a_sink_that_writes_elsewhere_has_to_be_told() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    for end in [End::Terminated, End::Killed] {
        let mut scene = Scene::new("edit-topic")?;
        scene.live(Past::ManyEpochs, end)?;
        let other = scene.broker.topic("elsewhere", 1)?;
        let topic = |name: &str| format!("'topic' = '{name}'");
        scene
            .pipeline
            .rewrite(&scene.sql.replace(&topic(&scene.sink), &topic(&other)))?;
        scene.stops(
            2,
            &["MR0853", "--match checked=checked", "--forget checked"],
        )?;
        scene.write(100)?;
        let mut running = scene.pipeline.start_with(&["--match", "checked=checked"])?;
        Reader::open(&scene.broker, &other, Isolation::Committed)?.wait_for(
            100,
            LIMIT,
            &mut running,
        )?;
        running.ends_on_sigterm()?;
        let rows = Delivered::read(&scene.broker, &other, &scene.source)?.rows();
        ensure!(rows == 100, "{rows} rows went elsewhere instead of 100");
    }
    Ok(())
}

/// Another name is another pipeline, until it is told to be the same.
#[test]
fn a_pipeline_gets_another_name() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    for end in [End::Terminated, End::Killed] {
        let mut scene = Scene::new("edit-pipeline")?;
        scene.live(Past::ManyEpochs, end)?;
        scene.write(100)?;
        let new = crate::broker::unique("renamed");
        let mut refused = scene.pipeline.start_setting("pipeline.name", &new)?;
        refused.ends_with(2, LIMIT)?;
        refused.says(&["MR0852", "--from pipeline:edit-pipeline", "--copy"])?;
        let log = refused.log();
        let old = log
            .split("--from ")
            .nth(1)
            .and_then(|rest| rest.split(": ").next());
        let old = old.unwrap_or_default().to_owned();
        let name = format!("pipeline.name={new}");
        let mut running = scene.pipeline.start_with(&["-D", &name, "--from", &old])?;
        scene.wait(&mut running)?;
        finish(running, end)?;
        scene.stops(2, &["was renamed to", &new])?;
        let written = scene.writer.finish()?;
        Delivered::read(&scene.broker, &scene.sink, &scene.source)?
            .ensure_exactly_once(&written)?;
    }
    Ok(())
}

/// The mark is gone, after one epoch and after many: what a SIGTERM has left needs none, and after a kill somebody says.
#[test]
fn a_lost_mark_is_never_taken_for_no_commit() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    for (past, end) in [
        (Past::OneEpoch, End::Terminated),
        (Past::OneEpoch, End::Killed),
        (Past::ManyEpochs, End::Killed),
        (Past::Rescaled, End::Killed),
    ] {
        let mut scene = Scene::new("lost-mark")?;
        scene.live(past, end)?;
        let id = scene.pipeline.setting("pipeline.name");
        let id = format!("{}-{id}-checked-0", scene.sink);
        scene.broker.delete_mark(&id)?;
        if end == End::Terminated {
            scene.goes_on(&[], end)?;
            continue;
        }
        let mut refused = scene.pipeline.start()?;
        refused.ends_with(1, LIMIT)?;
        refused.says(&[
            "the mark that the output keeps of it is gone",
            "--accept-lost-mark",
        ])?;
        let log = refused.log();
        let epoch = log
            .split("if they are, start once with --accept-lost-mark ")
            .nth(1);
        let epoch = epoch
            .and_then(|rest| rest.split(',').next())
            .unwrap_or_default()
            .to_owned();
        scene.goes_on(&["--accept-lost-mark", &epoch], end)?;
        scene.goes_on(&[], end)?;
    }
    Ok(())
}

/// A topic that was deleted and made anew is another one, also with more rows.
#[test]
fn a_topic_that_was_made_anew_is_another_one() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let mut scene = Scene::new("made-anew")?;
    scene.live(Past::OneEpoch, End::Terminated)?;
    scene
        .broker
        .make_anew(&scene.source, i32::try_from(PARTITIONS)?)?;
    scene.writer = RowWriter::new(&scene.broker, &scene.source, PARTITIONS)?;
    scene.write(1_000)?;
    scene.stops(1, &["was deleted and made anew", "--forget"])?;
    let topic = scene.source.clone();
    let mut running = scene.pipeline.start_with(&["--forget", &topic])?;
    scene.wait(&mut running)?;
    running.ends_on_sigterm()?;
    let delivered = Delivered::read(&scene.broker, &scene.sink, &scene.source)?;
    ensure!(
        delivered.rows() == 1_300,
        "{} rows instead of 1,300",
        delivered.rows()
    );
    Ok(())
}

/// The folder of the checkpoints lies elsewhere: nobody is fenced before somebody says whether it was moved.
#[test]
fn a_moved_folder_has_to_be_told() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let mut scene = Scene::new("moved")?;
    scene.live(Past::ManyEpochs, End::Killed)?;
    let sql = scene.sql.clone();
    let empty = Pipeline::new("unused", &sql)?;
    scene.pipeline = std::mem::replace(&mut scene.pipeline, empty).move_checkpoints("elsewhere")?;
    scene.stops(2, &["MR0855", "--moved", "--copy"])?;
    scene.goes_on(&["--moved"], End::Killed)?;
    scene.goes_on(&[], End::Terminated)
}

/// A front end of Doris is replaced while loads wait for their commit: whoever knows their labels commits them.
#[test]
fn a_front_end_of_doris_is_replaced() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("edit-doris", i32::try_from(PARTITIONS)?)?;
    let doris = Doris::start()?;
    let sql = doris.sql(&broker, &source, &["checked"]);
    let pipeline =
        Pipeline::new("edit-doris", &sql)?.set("execution.checkpointing.interval", "100ms");
    let writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    let feeder = Feeder::start(writer, 2_000);
    for turn in 0..8 {
        let mut running = pipeline.start_with(&["--roll-back"])?;
        running.wait_until_ready(LIMIT)?;
        std::thread::sleep(Duration::from_millis(600 + 37 * turn));
        running.kill()?;
        let other = if turn % 2 == 0 {
            "'fenodes' = 'localhost:"
        } else {
            "'fenodes' = '127.0.0.1:"
        };
        pipeline.rewrite(&sql.replace("'fenodes' = '127.0.0.1:", other))?;
    }
    let written = feeder.stop()?.finish()?;
    let mut running = pipeline.start_with(&["--roll-back"])?;
    // All rows may be there already: a signal must not come before somebody listens to it.
    running.wait_until_ready(LIMIT)?;
    doris.wait_for(written.iter().sum(), LIMIT, &mut running)?;
    running.ends_on_sigterm()?;
    doris
        .delivered("checked", &source)?
        .ensure_exactly_once(&written)
}

/// The file is edited while one process after the other is replaced.
#[test]
fn two_slots_are_rolled_one_after_the_other() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    for end in [End::Terminated, End::Killed] {
        let mut scene = Scene::new("rolled")?;
        let start = |scene: &Scene, slot: &str| {
            let slot = format!("millrace.slot={slot}");
            scene
                .pipeline
                .start_with(&["-D", "millrace.slots=2", "-D", &slot])
        };
        let (mut first, second) = (start(&scene, "0")?, start(&scene, "1")?);
        scene.write(600)?;
        scene.wait(&mut first)?;
        scene.pipeline.rewrite(
            &scene
                .sql
                .replace("numbered", "quelle")
                .replace("checked", "ziel"),
        )?;
        finish(second, end)?;
        scene.write(200)?;
        let mut second = start(&scene, "1")?;
        second.wait_until_ready(LIMIT)?;
        finish(first, end)?;
        scene.write(200)?;
        let mut first = start(&scene, "0")?;
        scene.wait(&mut first)?;
        // Names at the other side are for a command.
        let text = format!("'sink.transactional-id-prefix' = '{}'", scene.sink);
        let other = scene
            .sql
            .replace("numbered", "quelle")
            .replace("checked", "ziel");
        scene
            .pipeline
            .rewrite(&other.replace(&text, "'sink.transactional-id-prefix' = 'other'"))?;
        finish(first, end)?;
        let mut refused = start(&scene, "0")?;
        refused.ends_with(2, LIMIT)?;
        refused.says(&["MR0857", "--slots 2"])?;
        finish(second, end)?;
        scene.pipeline.rescale(2)?.ends_with(0, LIMIT)?;
        scene.write(200)?;
        let (mut first, second) = (start(&scene, "0")?, start(&scene, "1")?);
        scene.wait(&mut first)?;
        finish(first, end)?;
        finish(second, end)?;
        let written = scene.writer.finish()?;
        Delivered::read(&scene.broker, &scene.sink, &scene.source)?
            .ensure_exactly_once(&written)?;
    }
    Ok(())
}

/// Dataflows become one and fall apart again.
#[test]
fn dataflows_merge_and_split() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    for end in [End::Terminated, End::Killed] {
        let mut scene = Scene::new("merge")?;
        let more = Scene::new("merge-more")?;
        let second = more
            .sql
            .replace("numbered", "numbered2")
            .replace("checked", "checked2");
        let two = format!("{}{second}", scene.sql);
        let one = format!(
            "{two}INSERT INTO checked SELECT id, UPPER(`name`), amount * 2, src_topic, src_partition, src_offset FROM numbered2 WHERE id < 0;\n"
        );
        let mut writer = more.writer;
        let mut turn = |scene: &mut Scene, sql: &str, words: &[&str]| -> Result<()> {
            scene.pipeline.rewrite(sql)?;
            writer.write(150)?;
            let written = writer.finish()?;
            scene.write(150)?;
            let mut running = scene.pipeline.start_with(words)?;
            scene.wait(&mut running)?;
            let rows = usize::try_from(written.iter().sum::<u64>())?;
            Reader::open(&scene.broker, &more.sink, Isolation::Committed)?.wait_for(
                rows,
                LIMIT,
                &mut running,
            )?;
            finish(running, end)?;
            Delivered::read(&scene.broker, &more.sink, &more.source)?
                .ensure_exactly_once(&written)?;
            let written = scene.writer.finish()?;
            Delivered::read(&scene.broker, &scene.sink, &scene.source)?
                .ensure_exactly_once(&written)
        };
        turn(&mut scene, &two, &[])?;
        turn(&mut scene, &one, &[])?;
        turn(&mut scene, &two, &["--roll-back"])?;
        turn(&mut scene, &two, &[])?;
    }
    Ok(())
}
