// post: what athletes tell one another.
#include <algorithm>
#include <array>
#include <functional>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"

namespace sport_tracker {
namespace {

constexpr std::size_t new_key_bytes = 12;

std::string new_key() {
  std::array<unsigned char, new_key_bytes> raw{};
  joinery::system_random{}.fill(raw);
  return joinery::to_hex({reinterpret_cast<const char*>(raw.data()), raw.size()});
}

std::string post_text_from(const std::string& text) {
  if (text.empty()) throw input_error("the text is empty");
  return checked_text("the text", text, true);
}

/// Without a text the profile's draft is what is posted, and goes with it.
int add(context& c, const std::optional<std::string>& said, const std::string& about) {
  const bool draft = !said;
  const auto kept = draft ? c.db.find<post_draft>(c.profile) : joinery::row<post_draft>{};
  if (draft && !kept) throw input_error("there is no draft");
  const auto text = post_text_from(draft ? *kept->text : *said);
  const auto workout = about.empty() ? "" : full_key<workout_session>(c.db, about, "workout");
  const auto key = new_key();
  c.db.write([&](database::transaction& tx) {
        auto post = tx.create<social_post>(key);
        post.author = c.profile;
        post.posted_at_ms = c.now_ms();
        if (!workout.empty()) post.workout = workout;
        set_post_text(post, text);
        if (draft) tx.erase<post_draft>(c.profile);
      })
      .value();
  c.out << "posted " << short_key(key) << "\n";
  return exit_done;
}

int print_draft(context& c) {
  if (const auto kept = c.db.find<post_draft>(c.profile)) c.out << printable(*kept->text) << "\n";
  return exit_done;
}

int write_draft(context& c, const std::string& text) {
  c.db.write([&](database::transaction& tx) {
        if (text.empty())
          tx.erase<post_draft>(c.profile);
        else
          tx.create<post_draft>(c.profile).text = post_text_from(text);
      })
      .value();
  return exit_done;
}

void print_post(context& c, std::string_view key, const social_post& p) {
  c.out << short_key(key) << "  " << utc_time(*p.posted_at_ms) << "  " << printable(*p.author);
  if (const auto workout = *p.workout; !workout.empty())
    c.out << " on workout " << short_key(workout);
  if (const auto likes = p.likes.size(); likes > 0)
    c.out << ", " << likes << (likes == 1 ? " like" : " likes");
  if (p.text.in_conflict()) c.out << " (conflict)";
  c.out << "\n  " << printable(*p.text) << "\n";
  for (const auto& id : p.comments.keys()) {
    const auto [who, at, text] = *p.comments[id];
    c.out << "    " << short_key(id) << "  " << utc_time(at) << "  " << printable(who) << ": "
          << printable(text) << "\n";
  }
}

int list(context& c) {
  std::vector<std::pair<std::int64_t, std::string>> posts;
  c.db.for_each<social_post>([&](std::string_view key, const social_post& p) {
    posts.emplace_back(*p.posted_at_ms, key);
  });
  std::sort(posts.begin(), posts.end());
  for (const auto& [at, key] : posts) print_post(c, key, *c.db.find<social_post>(key));
  return exit_done;
}

request change(std::string name, std::function<void(social_post, const context&)> how) {
  return {
      access::write, [name = std::move(name), how = std::move(how)](context& c) {
        const auto key = full_key<social_post>(c.db, name, "post");
        c.db.write([&](database::transaction& tx) { how(tx.edit<social_post>(key), c); }).value();
        return exit_done;
      }};
}

int erase(context& c, const std::string& name) {
  const auto key = full_key<social_post>(c.db, name, "post");
  c.db.write([&](database::transaction& tx) { tx.erase<social_post>(key); }).value();
  c.out << "deleted post " << short_key(key) << "\n";
  return exit_done;
}

void remove_comment(social_post p, const std::string& name) {
  for (const auto& id : p.comments.keys()) {
    if (name.empty() || !id.starts_with(name)) continue;
    p.comments.erase(id);
    return;
  }
  throw input_error("the post has no comment " + printable(name));
}

}  // namespace

void set_post_text(social_post p, const std::string& text) {
  const auto before = hashtags_in(*p.text);
  const auto after = hashtags_in(text);
  for (const auto& tag : before)
    if (std::find(after.begin(), after.end(), tag) == after.end()) p.hashtags.erase(tag);
  for (const auto& tag : after) p.hashtags.insert(tag);
  p.text = post_text_from(text);
}

request list_posts() { return {access::read, list}; }

request add_post(std::string text, std::string workout) {
  return {access::write, [text = std::move(text), workout = std::move(workout)](context& c) {
            return add(c, text, workout);
          }};
}

request show_draft() { return {access::read, print_draft}; }

request keep_draft(std::string text) {
  return {access::write, [text = std::move(text)](context& c) { return write_draft(c, text); }};
}

request publish_draft(std::string workout) {
  return {access::write,
          [workout = std::move(workout)](context& c) { return add(c, std::nullopt, workout); }};
}

request delete_post(std::string key) {
  return {access::write, [key = std::move(key)](context& c) { return erase(c, key); }};
}

request edit_post(std::string key, std::string text) {
  return change(std::move(key), [text = std::move(text)](social_post p, const context&) {
    set_post_text(p, text);
  });
}

request like_post(std::string key) {
  return change(std::move(key), [](social_post p, const context& c) { p.likes.insert(c.profile); });
}

request unlike_post(std::string key) {
  return change(std::move(key), [](social_post p, const context& c) { p.likes.erase(c.profile); });
}

request comment_post(std::string key, std::string text) {
  return change(std::move(key), [text = std::move(text)](social_post p, const context& c) {
    p.comments[new_key()] = comment{c.profile, c.now_ms(), post_text_from(text)};
  });
}

request uncomment_post(std::string key, std::string name) {
  return change(std::move(key), [name = std::move(name)](social_post p, const context&) {
    remove_comment(p, name);
  });
}

}  // namespace sport_tracker
