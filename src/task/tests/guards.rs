//! What a restart refuses: offsets that the journal did not bring about, topics that are no longer what they were.

use super::*;

/// The app has run for three epochs, of which the last is epoch 2.
fn stopped() -> Arc<Mutex<World>> {
    let world = with_verdicts(&[None, None, None, Some(Verdict::Fenced)]);
    run(&world).unwrap_err();
    assert_eq!(journal_epochs(&world.lock().unwrap()), [0, 1, 2]);
    world
}

/// The same, with the input's offset in the group as given.
fn with_offset(offset: u64, note: &str) -> Arc<Mutex<World>> {
    let world = stopped();
    world.lock().unwrap().offsets.insert(INPUT, Committed { offset, note: note.to_owned() });
    world
}

/// A run in which the broker says these ids.
fn run_with_ids(world: &Arc<Mutex<World>>, ids: &[(&str, &str)]) -> Result<(), TaskError> {
    let mut setup = setup(TimeMode::Event, Some(UNTIL));
    setup.topic_ids = ids.iter().map(|(topic, id)| ((*topic).to_owned(), (*id).to_owned())).collect();
    run_as(world, setup)
}

#[test]
fn offsets_are_committed_with_the_epoch_beside_them() {
    let world = stopped();
    let offsets = world.lock().unwrap().offsets.clone();
    assert_eq!(offsets[&INPUT].offset, 4);
    assert!(offsets[&INPUT].note.starts_with("epoch 2 outputs "), "{:?}", offsets[&INPUT]);
}

#[test]
fn a_task_overtaken_while_it_restores_calls_nobody_a_stranger() {
    let world = stopped();
    world.lock().unwrap().overtakes = true;
    let error = run(&world).unwrap_err();
    assert!(matches!(error, TaskError::Fenced { .. }), "{error}");
}

#[test]
fn an_offset_that_somebody_else_committed_is_refused_with_the_way_out() {
    let world = with_offset(0, "");
    let error = run(&world).unwrap_err().to_string();
    assert_eq!(
        error,
        "offset 0 of group test for purchase partition 0 was not committed by this app, which notes an epoch beside \
         each: somebody set it, or test.journal was cut. The journal alone says where the app stands, so setting \
         offsets has no effect: to go on by the journal, delete them (kafka-consumer-groups --delete-offsets --group \
         test --topic purchase); to read anew, start under another `app`"
    );
    let mut world = world.lock().unwrap();
    assert_eq!(world.journal.len(), 3, "nothing was written");
    world.offsets.clear();
}

#[test]
fn an_offset_behind_the_journal_is_refused() {
    let error = run(&with_offset(3, "epoch 1 outputs 00")).unwrap_err().to_string();
    assert!(error.contains("lies before 4, which the journal has reached"), "{error}");
}

#[test]
fn a_journal_that_lost_its_end_is_refused() {
    let error = run(&with_offset(6, "epoch 3 outputs 00")).unwrap_err().to_string();
    assert!(error.contains("was committed with epoch 3, and the journal ends with epoch 2"), "{error}");
}

#[test]
fn an_offset_beyond_markers_and_one_that_expired_are_in_order() {
    let beyond = with_offset(5, "epoch 2 outputs 00");
    run(&beyond).unwrap();
    let expired = stopped();
    expired.lock().unwrap().offsets.clear();
    run(&expired).unwrap();
    for world in [beyond, expired] {
        assert_eq!(world.lock().unwrap().outputs, undisturbed());
    }
}

#[test]
fn an_empty_journal_beside_offsets_is_refused() {
    let world = stopped();
    world.lock().unwrap().journal.clear();
    let error = run(&world).unwrap_err().to_string();
    assert!(
        error.starts_with("test.journal partition 0 is empty, but group test has offsets (purchase partition 0: 4)"),
        "{error}"
    );
    assert!(error.contains("kafka-consumer-groups --delete --group test"), "{error}");
    assert!(world.lock().unwrap().journal.is_empty(), "nothing was written");
}

#[test]
fn the_first_record_names_the_topics_and_a_later_one_those_that_are_new() {
    let world = with_verdicts(&[None, Some(Verdict::Aborted), None, Some(Verdict::Fenced)]);
    run_with_ids(&world, &[("purchase", "p1"), ("test.journal", "j1")]).unwrap_err();
    run_with_ids(&world, &[("purchase", "p1"), ("test.journal", "j1"), ("test.relay", "r1")]).unwrap();
    let world = world.lock().unwrap();
    let names = world.journal.iter().map(|record| JournalRecord::decode(record.as_slice()).unwrap().topics);
    let names: Vec<String> =
        names.map(|topics| topics.into_iter().map(|it| it.topic + "=" + &it.id + " ").collect()).collect();
    assert_eq!(names[..3], ["purchase=p1 test.journal=j1 ", "", "test.relay=r1 "]);
    assert!(names[3..].iter().all(String::is_empty), "{names:?}");
}

#[test]
fn a_topic_of_another_id_is_refused_even_with_the_same_records() {
    let world = stopped_with_ids();
    let error = run_with_ids(&world, &[("purchase", "p2")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "purchase was deleted and made anew (topic id p1, now p2): the journal's offsets mean the old one's records; \
         start anew under another `app`"
    );
}

#[test]
fn a_broker_that_does_not_say_ids_is_taken_at_its_word() {
    let world = stopped_with_ids();
    run_with_ids(&world, &[]).unwrap();
    assert_eq!(world.lock().unwrap().outputs, undisturbed());
}

fn stopped_with_ids() -> Arc<Mutex<World>> {
    let world = with_verdicts(&[None, None, Some(Verdict::Fenced)]);
    run_with_ids(&world, &[("purchase", "p1")]).unwrap_err();
    world
}

#[test]
fn another_number_of_tasks_than_the_journal_was_written_by_is_refused() {
    let world = stopped();
    let mut setup = setup(TimeMode::Event, Some(UNTIL));
    setup.tasks = 2;
    let error = run_as(&world, setup).unwrap_err().to_string();
    assert!(error.starts_with("the journal was written by 1 tasks, `tasks` says 2"), "{error}");
}
