//! Several processes share an app's tasks, on a real Apache Kafka: they come, go, die and freeze, and every record
//! is decided once.

#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/service.rs"]
mod service;
#[path = "support/shop.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod shop;
#[path = "support/topics.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod topics;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};
use service::{Files, Service, get, until};
use shop::{Shop, UNTIL};

const TASKS: u32 = 5;

/// Both protocols of the group. Sessions are as short as a busy machine allows.
const CLASSIC: &str = "session.timeout.ms: 10000";
const BY_BROKER: &str = "group.protocol: consumer";

/// A running process, watched over HTTP as an operator would.
struct Member {
    service: Service,
    address: String,
}

impl Member {
    fn of(mut service: Service) -> Self {
        let address = service.wait_for("started")["http"].as_str().expect("an address").to_owned();
        Self { service, address }
    }

    /// The lines of a metric: labels and value.
    fn metric(&self, name: &str) -> Vec<(String, u64)> {
        let (_, text) = get(&self.address, "/metrics");
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let lines = lines.filter(|rest| rest.starts_with(['{', ' ']));
        lines
            .filter_map(|rest| rest.rsplit_once(' '))
            .map(|(labels, value)| (labels.to_owned(), value.parse().expect("a whole number")))
            .collect()
    }

    fn count(&self, name: &str) -> u64 {
        self.metric(name).iter().map(|(_, value)| value).sum()
    }

    /// The tasks that it has restored and runs.
    fn tasks(&self) -> BTreeSet<u32> {
        let restored = self.metric("vipstream_task_restored");
        restored.into_iter().filter(|(_, value)| *value > 0).map(|(labels, _)| task(&labels)).collect()
    }

    /// Fails if one of these tasks was interrupted.
    fn assert_restored_once(&self, tasks: &BTreeSet<u32>) {
        let restores = self.restores(tasks);
        let is_once = restores.iter().all(|(_, restores)| *restores == 1);
        assert!(is_once && restores.len() == tasks.len(), "{restores:?}: {:#?}", self.service.news());
    }

    /// How often it has restored each of these tasks.
    fn restores(&self, tasks: &BTreeSet<u32>) -> Vec<(u32, u64)> {
        let all = self.metric("vipstream_task_restores_total").into_iter();
        all.map(|(labels, count)| (task(&labels), count)).filter(|(task, _)| tasks.contains(task)).collect()
    }

    fn is_ready(&self) -> bool {
        get(&self.address, "/readyz").0 == 200
    }
}

fn task(labels: &str) -> u32 {
    labels.split('"').nth(1).and_then(|text| text.parse().ok()).expect("a task")
}

/// A shop with inputs of several partition counts, and files that name the group's properties.
fn open(group: &str, more: &str) -> (Shop, Files) {
    let shop = Shop::open_with(|kind| 3 + i32::from(kind == vipstream::model::event::Kind::Purchase) * 2, None);
    let files = Files::of(&shop, &format!("tasks: {TASKS}\nhttp: 127.0.0.1:0\n{more}"));
    files.replace("vipstream.yaml", "bootstrap.servers", &format!("{group}, bootstrap.servers"));
    (shop, files)
}

/// Waits until these processes have every task between them, each at least one.
fn wait_until_shared(members: &[&Member]) -> Duration {
    let started = Instant::now();
    until("the tasks are shared", || {
        let shares: Vec<BTreeSet<u32>> = members.iter().map(|member| member.tasks()).collect();
        let total: usize = shares.iter().map(BTreeSet::len).sum();
        let all: BTreeSet<u32> = shares.iter().flatten().copied().collect();
        (shares.iter().all(|share| !share.is_empty()) && total == all.len() && all.iter().copied().eq(0..TASKS))
            .then_some(())
    });
    started.elapsed()
}

/// Ends all of them together; each must end well, or in the middle of what takes a busy machine too long.
fn end(members: Vec<Member>) {
    for member in &members {
        member.service.signal("-TERM");
    }
    for Member { service, .. } in members {
        let (status, said) = service.end();
        let is_well = status.code() == Some(0) && said.is_empty();
        assert!(is_well || said.contains("not every task ended within"), "{status}: {said}");
    }
}

/// Decides what is left and checks that nothing was lost or doubled.
fn check(shop: &Shop, files: &Files) {
    files.replace("vipstream.yaml", "http: 127.0.0.1:0", "");
    assert_eq!(files.run(&["--until", &UNTIL.to_string()]), (Some(0), String::new()));
    shop.assert_sequences_without_gap();
}

fn others_take_over_from_one_that_is_killed(group: &str) {
    let (shop, files) = open(group, "time: event\nepoch: { linger: 1ms, records: 10 }");
    let traffic = shop.traffic(3_000);
    shop.fill(&traffic[..1_000]);
    let [first, second, third] = [(); 3].map(|()| Member::of(files.start(&[])));
    wait_until_shared(&[&first, &second, &third]);
    shop.fill(&traffic[1_000..2_000]);
    second.service.kill();
    let took = wait_until_shared(&[&first, &third]);
    eprintln!("{group}: taken over {:.1} s after the kill", took.as_secs_f64());
    shop.fill(&traffic[2_000..]);
    end(vec![first, third]);
    check(&shop, &files);
}

#[test]
fn others_take_over_from_one_that_is_killed_in_the_classic_protocol() {
    others_take_over_from_one_that_is_killed(CLASSIC);
}

#[test]
fn others_take_over_from_one_that_is_killed_where_the_broker_assigns() {
    others_take_over_from_one_that_is_killed(BY_BROKER);
}

fn who_joins_takes_some_and_who_leaves_gives_them_back_while_the_rest_goes_on(group: &str) {
    let (shop, files) = open(group, "time: event");
    let traffic = shop.traffic(1_500);
    let first = Member::of(files.start(&[]));
    wait_until_shared(&[&first]);
    shop.fill(&traffic[..700]);
    let second = Member::of(files.start(&[]));
    wait_until_shared(&[&first, &second]);
    let kept = first.tasks();
    first.assert_restored_once(&kept);
    shop.fill(&traffic[700..1_100]);
    assert_eq!(second.service.terminate().code(), Some(0));
    let took = wait_until_shared(&[&first]);
    eprintln!("{group}: taken back {:.1} s after the end", took.as_secs_f64());
    first.assert_restored_once(&kept);
    shop.fill(&traffic[1_100..]);
    end(vec![first]);
    check(&shop, &files);
}

#[test]
fn who_joins_takes_some_and_who_leaves_gives_them_back_in_the_classic_protocol() {
    who_joins_takes_some_and_who_leaves_gives_them_back_while_the_rest_goes_on(CLASSIC);
}

#[test]
fn who_joins_takes_some_and_who_leaves_gives_them_back_where_the_broker_assigns() {
    who_joins_takes_some_and_who_leaves_gives_them_back_while_the_rest_goes_on(BY_BROKER);
}

fn one_frozen_for_too_long_drops_its_tasks_and_gets_some_again(group: &str) {
    let (shop, files) = open(group, "time: event\nepoch: { linger: 1ms, records: 10 }");
    let traffic = shop.traffic(2_000);
    let [frozen, other] = [(); 2].map(|()| Member::of(files.start(&[])));
    wait_until_shared(&[&frozen, &other]);
    // It is to freeze in the middle of its work.
    shop.fill(&traffic[..1_000]);
    frozen.service.signal("-STOP");
    let took = wait_until_shared(&[&other]);
    eprintln!("{group}: taken over {:.1} s after the freeze", took.as_secs_f64());
    shop.fill(&traffic[1_000..1_500]);
    frozen.service.signal("-CONT");
    frozen_told_lost(&frozen);
    let took = wait_until_shared(&[&frozen, &other]);
    eprintln!("{group}: shared again {:.1} s after the thaw", took.as_secs_f64());
    shop.fill(&traffic[1_500..]);
    end(vec![frozen, other]);
    check(&shop, &files);
}

/// Waits until it has noticed that its tasks are others'.
fn frozen_told_lost(member: &Member) {
    until("the frozen process notices", || {
        let is_loss = |line: &serde_json::Value| {
            line["message"].as_str().is_some_and(|message| message.starts_with("not heard of for too long"))
        };
        member.service.news().iter().any(is_loss).then_some(())
    });
}

#[test]
fn one_frozen_for_too_long_drops_its_tasks_and_gets_some_again_in_the_classic_protocol() {
    one_frozen_for_too_long_drops_its_tasks_and_gets_some_again(CLASSIC);
}

#[test]
fn one_frozen_for_too_long_drops_its_tasks_and_gets_some_again_where_the_broker_assigns() {
    one_frozen_for_too_long_drops_its_tasks_and_gets_some_again(BY_BROKER);
}

#[test]
fn a_static_member_restarts_and_nobody_else_notices() {
    let (shop, files) = open("session.timeout.ms: 30000", "time: event");
    let traffic = shop.traffic(1_000);
    let name = "VIPSTREAM_KAFKA__GROUP_INSTANCE_ID";
    let first = Member::of(files.start_with(name, "a"));
    let second = Member::of(files.start_with(name, "b"));
    wait_until_shared(&[&first, &second]);
    let (rebalances, tasks) = (first.count("vipstream_group_rebalances_total"), second.tasks());
    shop.fill(&traffic[..500]);
    assert_eq!(second.service.terminate().code(), Some(0));
    let second = Member::of(files.start_with(name, "b"));
    wait_until_shared(&[&first, &second]);
    assert_eq!(second.tasks(), tasks);
    assert_eq!(first.count("vipstream_group_rebalances_total"), rebalances);
    shop.fill(&traffic[500..]);
    end(vec![first, second]);
    // Their places in the group are still taken.
    let third = Member::of(files.start_with(name, "a"));
    until("it serves", || third.is_ready().then_some(()));
    end(vec![third]);
}

#[test]
fn a_static_member_whose_name_another_bears_ends_with_a_sentence() {
    let (shop, files) = open("group.instance.id: a", "time: event");
    let first = Member::of(files.start(&[]));
    wait_until_shared(&[&first]);
    let second = Member::of(files.start(&[]));
    wait_until_shared(&[&second]);
    let (status, said) = first.service.end();
    assert_eq!(status.code(), Some(1));
    let expected = format!("vipstream: membership of group {}: the broker refused: another process has", shop.app);
    assert!(said.starts_with(&expected), "{said}");
    end(vec![second]);
}

#[test]
fn with_a_time_to_stop_at_several_processes_decide_as_replay_does_whoever_dies() {
    let (shop, files) = open(CLASSIC, "time: event\nepoch: { linger: 1ms, records: 10 }");
    shop.fill(&shop.traffic(3_000));
    let until_time = UNTIL.to_string();
    let arguments = ["--until", until_time.as_str()];
    let [first, second, third] = [(); 3].map(|()| Member::of(files.start(&arguments)));
    until("the journal grows", || {
        (topics::end(&shop.bootstrap, &format!("{}.journal", shop.app)) >= 300).then_some(())
    });
    first.service.kill();
    for survivor in [second, third] {
        let (status, said) = survivor.service.end();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    }
    shop.assert_decided(&shop.replayed());
}

#[test]
fn a_process_without_a_task_stands_by() {
    let (_shop, files) = open(CLASSIC, "time: event");
    files.replace("vipstream.yaml", "tasks: 5", "tasks: 1");
    let [first, second] = [(); 2].map(|()| Member::of(files.start(&[])));
    until("both are ready", || (first.is_ready() && second.is_ready()).then_some(()));
    let shares = [&first, &second].map(|member| member.count("vipstream_tasks_assigned"));
    assert_eq!(shares.iter().sum::<u64>(), 1, "{shares:?}");
    end(vec![first, second]);
}

#[test]
fn a_stranger_with_the_name_of_a_task_is_fenced_in_turn() {
    let (shop, files) = open(CLASSIC, "time: event");
    let member = Member::of(files.start(&[]));
    wait_until_shared(&[&member]);
    let stranger: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &shop.bootstrap)
        .set("transactional.id", format!("{}-0", shop.app))
        .create()
        .expect("a producer");
    stranger.init_transactions(Duration::from_secs(20)).expect("the broker answers");
    shop.fill(&shop.traffic(1_000));
    let zero = BTreeSet::from([0]);
    until("task 0 starts anew", || {
        matches!(member.restores(&zero)[..], [(0, restores)] if restores >= 2).then_some(())
    });
    end(vec![member]);
    check(&shop, &files);
}
