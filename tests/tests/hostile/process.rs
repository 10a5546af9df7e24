//! Attacks on the process: time, memory, stack, and the length of answers.

use std::time::{Duration, Instant};

use hubstow_core::{
    facts::PlaceFacts,
    place::place,
    policy::{Method, Policy},
    why::Reason,
};
use hubstow_wasmtime::{Bounds, ComponentCore, CoreError, Options, Pool};

use crate::guest::hostile;

/// No attack holds the process up longer: twice the deadline of a call.
const BOUND: Duration = Duration::from_secs(2);

fn facts() -> PlaceFacts {
    PlaceFacts::empty(Policy::Compat)
}

/// Asks for one decision, which must fail within the bound; the same component may go on being asked afterwards.
#[track_caller]
fn fails(attack: &str, options: Options) -> CoreError {
    let core = hostile(attack, options);
    let begin = Instant::now();
    let error = core.place(&facts()).unwrap_err();
    assert!(begin.elapsed() < BOUND, "{attack}: {:?}", begin.elapsed());
    assert!(core.parse_name(hubstow_wasmtime::wit::NameKind::Nonce, &"0".repeat(32)).is_ok());
    error
}

#[test]
fn without_an_attack_it_is_as_honest_as_the_core() {
    let core = hostile("", Options::default());
    assert_eq!(core.place(&facts()).unwrap(), place(&facts()));
}

#[test]
fn a_loop_runs_out_of_fuel() {
    let error = fails("loop", Options::default());
    assert!(matches!(error, CoreError::OutOfFuel { fuel: 50_000_000 }), "{error}");
}

#[test]
fn a_loop_with_fuel_without_end_runs_out_of_time() {
    let deadline = Duration::from_millis(200);
    let bounds = Bounds { fuel: u64::MAX, deadline, ..Bounds::DEFAULT };
    for attack in ["loop", "fill-memory"] {
        let error = fails(attack, Options { bounds, ..Options::default() });
        assert!(matches!(error, CoreError::OutOfTime { .. }), "{attack}: {error}");
    }
}

#[test]
fn memory_without_end_is_not_to_be_had() {
    for pool in [Pool::Off, Pool::Of(2)] {
        let error = fails("allocate", Options { pool, ..Options::default() });
        assert!(matches!(error, CoreError::OutOfMemory { .. }), "{error}");
    }
}

#[test]
fn recursion_without_end_overflows_its_own_stack() {
    let error = fails("recurse", Options::default());
    assert!(matches!(error, CoreError::OutOfStack), "{error}");
}

#[test]
fn a_trap_is_an_error() {
    let error = fails("trap", Options::default());
    assert!(matches!(error, CoreError::Trapped { .. }), "{error}");
}

#[test]
fn an_answer_of_two_megabytes_is_not_taken() {
    let core = hostile("long-answer", Options::default());
    let asked = core.ask(1, |core, store| {
        core.call_sentence_of_reason(store, Reason::Pinned.into()).map(|answer| answer.len())
    });
    let error = asked.unwrap_err();
    assert!(matches!(error, CoreError::AnswerTooLong { limit_bytes: 1_048_576 }), "{error}");
}

#[test]
fn an_answer_of_two_hundred_megabytes_is_not_even_made() {
    let core = hostile("very-long-answer", Options::default());
    let asked =
        core.ask(1, |core, store| core.call_sentence_of_reason(store, Reason::Pinned.into()));
    let error = asked.unwrap_err();
    assert!(matches!(error, CoreError::OutOfMemory { .. }), "{error}");
}

#[test]
fn a_batch_is_answered_with_as_many_decisions_as_questions() {
    let all = [facts(), facts(), facts()];
    let error = |attack: &str| hostile(attack, Options::default()).place_many(&all).unwrap_err();
    let few = error("one-decision-too-few");
    assert!(matches!(few, CoreError::Impossible { .. }), "{few}");
    let many = error("two-million-decisions");
    // Making that many costs more than three questions may, one way or another.
    assert!(!matches!(many, CoreError::Impossible { .. } | CoreError::Name(_)), "{many}");
}

#[test]
fn a_component_that_imports_something_is_not_loaded() {
    let importing = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let bytes = wat::parse_str(importing).unwrap();
    let error = ComponentCore::compile(&bytes, Options::default()).unwrap_err();
    assert!(matches!(error, CoreError::Unfit { .. }), "{error}");
    assert!(error.to_string().contains("wasi:cli/environment"), "{error}");
}

#[test]
fn a_component_without_the_interface_is_not_loaded() {
    let bytes = wat::parse_str("(component)").unwrap();
    let error = ComponentCore::compile(&bytes, Options::default()).unwrap_err();
    assert!(matches!(error, CoreError::Unfit { .. }), "{error}");
    let error = ComponentCore::compile(b"no component", Options::default()).unwrap_err();
    assert!(matches!(error, CoreError::Load { .. }), "{error}");
}

#[test]
fn an_artifact_of_another_engine_is_not_loaded() {
    let other = wasmtime::Engine::default();
    let artifact = other.precompile_component(hubstow_wasmtime::COMPONENT).unwrap();
    #[expect(unsafe_code, reason = "the artifact was made by this test")]
    // SAFETY: it comes from an engine, unchanged.
    let loaded = unsafe { ComponentCore::precompiled(&artifact, Options::default()) };
    let error = loaded.unwrap_err();
    assert!(matches!(error, CoreError::Load { .. }), "{error}");
}

#[test]
fn what_the_core_decides_passes_every_check() {
    let core = ComponentCore::embedded().unwrap();
    assert_eq!(core.place(&facts()).unwrap(), place(&facts()));
    let bare = PlaceFacts {
        methods: facts().methods.with(Method::Symlink, hubstow_core::policy::Support::Works),
        ..facts()
    };
    assert_eq!(core.place_many(&[bare, facts()]).unwrap(), [place(&bare), place(&facts())]);
}
