//! Grove in local workerd, used as its clients use it.
//!
//! - `client`: HTTP with what the tests need around it
//! - `sign_in`: Heartwood
//! - `posts`: posts, reactions, feed, media, and what is refused
//! - `counting`: exact counts, knobs and restarts
//! - `objects`: Grove's objects, called by another Worker

mod client;
mod counting;
mod objects;
mod posts;
mod sign_in;

use client::Grove;

/// One start of the runtime serves them all: it takes longer than most of the checks.
#[test]
fn grove_is_a_platform() {
    let grove = Grove::start();
    sign_in::a_code_is_good_for_one_session(&grove);
    sign_in::a_session_is_renewed_and_ended(&grove);
    sign_in::what_is_not_a_token_is_refused(&grove);
    posts::a_new_tenant_has_something_to_read(&grove);
    posts::a_post_can_be_read_everywhere(&grove);
    posts::nothing_written_at_the_same_time_is_lost(&grove);
    posts::pictures_come_back_as_they_were(&grove);
    posts::bad_requests_are_refused_and_change_nothing(&grove);
    objects::another_worker_can_call_them(&grove);
}

#[test]
fn grove_counts_and_fails_as_told() {
    let mut grove = Grove::start();
    counting::requests_whose_client_left_are_counted(&grove);
    counting::faults_are_what_was_asked_for(&grove);
    counting::a_narrow_platform_makes_others_wait(&grove);
    counting::state_survives_a_crash(&mut grove);
}
