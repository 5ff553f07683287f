// The sport tracker's schema: five tables that all devices share, and one of this device's own.
//
// Purpose: what the program keeps, as plain structs of CRDT fields. What a workout file says stands
// apart (`recorded`) from what the athlete writes about it: two devices that import the same file
// while apart write equal facts, which is no conflict, and neither covers an edit.
// Invariants: names of tables and fields are the format: never change one, or its type; add new
// ones.
// Thread-safety: as the replica that hands the records out.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "joinery/schema/schema.hpp"

namespace sport_tracker {

// clang-format off
/// One athlete. The key is a short name, `me` by default.
struct user_profile {
  BOOST_HANA_DEFINE_STRUCT(user_profile,
    (joinery::lww<std::string>, display_name),
    (joinery::lww<std::string>, bio),
    (joinery::lww<std::string>, birth_date),  // 1990-05-17
    (joinery::lww<std::string>, units),  // metric or imperial
    (joinery::lww<double>, weight_kg),
    (joinery::flag, shares_with_coach),  // granting wins over a concurrent revoking
    (joinery::or_set<std::string>, badges),
    (joinery::or_set<std::string>, goals),
    (joinery::tally<std::string>, xp),  // by the workout file's content hash
    (joinery::pn_counter, kudos),
    (joinery::max_of<std::uint32_t>, longest_distance_m),
    (joinery::max_of<std::uint32_t>, longest_duration_s),
    (joinery::map<std::string, joinery::max_of<std::uint32_t>>, best_distance_m));  // by sport
};

/// What a workout file says: the same on every device that imports it.
struct recorded_facts {
  BOOST_HANA_DEFINE_STRUCT(recorded_facts,
    (joinery::lww<std::string>, sport),
    (joinery::lww<std::string>, title),
    (joinery::lww<std::int64_t>, started_at_ms),
    (joinery::lww<std::uint32_t>, duration_s),
    (joinery::lww<std::uint32_t>, distance_m),
    (joinery::lww<std::uint32_t>, elevation_gain_m),
    (joinery::lww<std::uint32_t>, average_heart_rate_bpm),
    (joinery::lww<std::uint32_t>, max_heart_rate_bpm),
    (joinery::lww<std::uint32_t>, calories_kcal),
    (joinery::lww<std::uint64_t>, points));
};

/// One workout. The key is the content hash of its file, in hexadecimal.
struct workout_session {
  BOOST_HANA_DEFINE_STRUCT(workout_session,
    (joinery::lww<std::string>, athlete),  // key of a profile
    (recorded_facts, recorded),
    (joinery::or_set<std::string>, source_files),  // names, without folders
    (joinery::lww<std::string>, title),  // the athlete's own, or empty
    (joinery::lww<std::string>, sport),  // likewise
    (joinery::mv<std::string>, notes),  // both survive a conflict
    (joinery::lww<std::uint32_t>, effort),  // felt, 1 to 10; 0 unknown
    (joinery::or_set<std::string>, tags));
};

/// Who, when (milliseconds since 1970 UTC), what.
using comment = std::tuple<std::string, std::int64_t, std::string>;

/// One post. The key is random: unique keys are what the library advises for what is deleted.
struct social_post {
  BOOST_HANA_DEFINE_STRUCT(social_post,
    (joinery::lww<std::string>, author),  // key of a profile
    (joinery::lww<std::int64_t>, posted_at_ms),
    (joinery::lww<std::string>, text),
    (joinery::lww<std::string>, workout),  // a key, or empty
    (joinery::or_set<std::string>, hashtags),
    (joinery::or_set<std::string>, likes),  // keys of profiles
    (joinery::map<std::string, joinery::lww<comment>>, comments));
};

/// A post that is not written to its end. The key is that of the profile.
struct post_draft {
  BOOST_HANA_DEFINE_STRUCT(post_draft,
    (joinery::lww<std::string>, text));
};

/// One grant of XP. The key is the content hash of the workout's file, so that two devices that
/// both hand it out make one record; of two moments the earlier counts, of two amounts the greater,
/// as in the profile's tally.
struct xp_transaction {
  BOOST_HANA_DEFINE_STRUCT(xp_transaction,
    (joinery::lww<std::string>, athlete),
    (joinery::lww<std::string>, reason),
    (joinery::lww<std::string>, workout),
    (joinery::max_of<std::uint32_t>, amount),
    (joinery::min_of<std::int64_t>, granted_at_ms));
};

/// One intention to be active on given days of the week. The key is a name of the athlete's choice.
struct streak_schedule {
  BOOST_HANA_DEFINE_STRUCT(streak_schedule,
    (joinery::lww<std::string>, athlete),
    (joinery::or_set<std::string>, days),  // mon to sun
    (joinery::lww<std::uint32_t>, goal_minutes),
    (joinery::pn_counter, freezes),  // that are left
    (joinery::or_set<std::string>, frozen_days),  // 2024-05-01
    (joinery::flag, active));
};
// clang-format on

/// The tables with their delete rules.
/// - An edit made elsewhere brings back a profile, a workout or a schedule that was deleted here:
///   work is not lost by a deletion that did not know of it. XP stands for good: there is no
///   command that deletes it.
/// - Workouts are listed by date: that index is this program's own, and not part of the space.
/// - A post that was taken down stays down, whoever liked or edited it meanwhile.
/// - Drafts stay on this device. Publishing one makes the post and takes the draft away, at once.
using sport_schema = joinery::tables<
    joinery::table<"user_profiles", user_profile, joinery::update_wins>,
    joinery::table<"workout_sessions", workout_session, joinery::update_wins,
                   joinery::index<&workout_session::recorded, &recorded_facts::started_at_ms>>,
    joinery::table<"social_posts", social_post, joinery::delete_wins>,
    joinery::table<"post_drafts", post_draft, joinery::local_only>,
    joinery::table<"xp_transactions", xp_transaction, joinery::update_wins>,
    joinery::table<"streak_schedules", streak_schedule, joinery::update_wins>>;

}  // namespace sport_tracker
